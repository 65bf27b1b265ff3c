// Package strimzi is the layer of Kafka's data: the KafkaMirrorMaker2 resources of
// Strimzi, by which one region's Kafka gets what another's has. MirrorMaker 2 is
// deployed where it writes, so all resources with the layer's labels bring data into
// this region.
//
// Before a region admits producers, nothing may be mirrored into it any more: Activate
// stops every source and checkpoint connector (state: stopped), keeps what the states
// were in an annotation, and waits until status.connectors says that they have stopped.
// Strimzi's annotation pause-reconciliation would not do: mirroring goes on.
//
// Fence has nothing to take away: what producers write is for other layers to stop. It
// is the leave to mirror the other way, later, and never while data may be mirrored out
// of here into a region that mirrors back:
//
//   - Connectors that activation has stopped stay so until another region publishes, on
//     the layers.Board, that its own have stopped under a newer epoch. Then those that
//     bring that region's data get their states back. However late a note is, two regions
//     never mirror into each other: that other one in turn waits for a newer epoch still,
//     which no region publishes before it has stopped its own connectors.
//   - With more than two regions those that bring the data of yet another region are
//     stopped.
//   - Connectors that the layer has never touched are left as they are. So two regions
//     that mirror into each other before either was active do so until one is; Findings
//     says that they do.
//
// spec.target.alias is how a region's Kafka is called, here and as spec.mirrors[].source
// in the other regions. Where there is only one mirror it may be called anything.
package strimzi
