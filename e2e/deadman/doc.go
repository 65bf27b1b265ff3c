// Package deadman measures what becomes of the layers of an active region whose one agent is frozen or killed, with each dead-man's
// switch on and off: other instances of the region, systemd's (by package supervisor, with the unit file that is shipped), and the
// kernel's watchdog (by a stand-in). The agents are real processes, and so is the region that would take over.
//
// Authority is what the witness has acknowledged, and no word of the agent's. Layers are what the hooks did.
package deadman
