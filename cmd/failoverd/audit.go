package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Checks the journal, and replays it",
		Long: `The agent keeps a journal in state_dir/audit: everything that its lease was told
and what it decided, what became of the layers, and what people commanded. Each
entry is signed by the region's key, and bears the hash of the one before.`,
		Example: "  failoverd audit verify\n  failoverd audit replay",
		Args:    noArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(auditVerifyCommand(), auditReplayCommand())
	return cmd
}

func auditVerifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Checks that nothing in the journal was changed, left out or added",
		Long: `Checks every hash and every signature. It needs no agent and no network: a copy
of the journal can be checked anywhere, with the region's public key.

What it can't see is that the newest entries are missing. Keep the hash that it
prints elsewhere, and look for it later: nothing before that entry was touched.

Exit codes: 0 all is as it was written; 1 it is not; 2 it could not be looked at.`,
		Example: "  failoverd audit verify\n  failoverd audit verify --dir ./copy --public-key 'o9Jx…='",
		Args:    noArgs,
	}
	path, output := configFlag(cmd), outputFlag(cmd)
	dir := cmd.Flags().String("dir", "", "the journal's `folder`; default: that of the configuration")
	public := cmd.Flags().StringSlice("public-key", nil, "a public `key` of the region; again for one that it had before; default: that of the configuration")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		folder, keys, err := journalOf(*path, *dir, *public)
		if err != nil {
			return usageError{err}
		}
		verdict, err := audit.Verify(folder, keys, nil)
		if err != nil {
			return usageError{explainJournal(folder, err)}
		}
		if *output == "json" {
			err = printJSON(cmd.OutOrStdout(), verdict)
		} else {
			printVerdict(cmd.OutOrStdout(), folder, verdict)
		}
		if len(verdict.Problems) > 0 {
			err = errors.Join(err, fmt.Errorf("the journal is not as it was written: %d problems", len(verdict.Problems)))
		}
		return err
	}
	return cmd
}

func printVerdict(out io.Writer, folder string, v audit.Verdict) {
	for _, p := range v.Problems {
		fmt.Fprintln(out, p)
	}
	if v.Entries == 0 {
		fmt.Fprintf(out, "%s has no entries\n", folder)
		return
	}
	fmt.Fprintf(out, "%d entries, %d to %d, in %d files\n", v.Entries, v.First, v.Last, v.Files)
	if v.Torn > 0 {
		fmt.Fprintf(out, "%d bytes at the end are of an entry that is not written to its end: an agent writes just now, or was killed; its next start cuts them\n", v.Torn)
	}
	if len(v.Problems) == 0 {
		fmt.Fprintf(out, "each has the hash that it should have, and the region's signature\nhash of entry %d: %x\n", v.Last, []byte(v.Hash))
	}
}

func auditReplayCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Feeds the journal's events to this version's lease, and wants the same actions",
		Long: `Runs the lease of this version of failoverd over everything that the journal says
it was told, and compares what it wants done with what was done. Nothing is done.
With the version that wrote the journal they are the same: a journal reproduces
every decision. With another one, this shows what it would have done otherwise.

Exit codes: 0 the same; 1 they part, and it says where; 2 it could not be looked
at, or was touched.`,
		Example: "  failoverd audit replay\n  failoverd audit replay --dir ./copy -o json | jq .parted",
		Args:    noArgs,
	}
	path, output := configFlag(cmd), outputFlag(cmd)
	dir := cmd.Flags().String("dir", "", "the journal's `folder`; default: that of the configuration")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		folder := *dir
		if folder == "" {
			cfg, err := loadConfig(*path)
			if err != nil {
				return err
			}
			folder = journalPath(cfg)
		}
		replayed, err := audit.Replay(folder)
		if err != nil {
			return usageError{explainJournal(folder, err)}
		}
		if *output == "json" {
			err = printJSON(cmd.OutOrStdout(), replayed)
		} else {
			printReplayed(cmd.OutOrStdout(), replayed)
		}
		if replayed.Parted != nil {
			err = errors.Join(err, fmt.Errorf("entry %d: this version, %s, decides otherwise", replayed.Parted.Seq, fullVersion()))
		}
		return err
	}
	return cmd
}

func printReplayed(out io.Writer, r audit.Replayed) {
	fmt.Fprintf(out, "%d starts of the agent, %d steps that are the same\n", r.Runs, r.Steps)
	if r.Skipped > 0 {
		fmt.Fprintf(out, "%d steps were left out: the start before them is not in the journal any more, or entries are missing before them\n", r.Skipped)
	}
	if p := r.Parted; p != nil {
		fmt.Fprintf(out, "\nentry %d, written by %s: told %s\nwritten:\n", p.Seq, p.Version, p.Event)
		for _, a := range p.Written {
			fmt.Fprintf(out, "  %s\n", a)
		}
		fmt.Fprintln(out, "now:")
		for _, a := range p.Now {
			fmt.Fprintf(out, "  %s\n", a)
		}
	}
}

// journalOf is the folder of a journal and the keys of who wrote it, as flags say, or the configuration where they do not.
func journalOf(path, dir string, public []string) (folder string, keys []ed25519.PublicKey, err error) {
	if dir == "" || len(public) == 0 {
		cfg, err := config.Load(path)
		if err != nil {
			return "", nil, fmt.Errorf("%w; or give both --dir and --public-key", err)
		}
		if dir == "" {
			dir = journalPath(cfg)
		}
		if len(public) == 0 {
			return dir, []ed25519.PublicKey{cfg.PublicKeys()[cfg.Region]}, nil
		}
	}
	for _, text := range public {
		key, err := audit.ParseKey(text)
		if err != nil {
			return "", nil, fmt.Errorf("--public-key: %w", err)
		}
		keys = append(keys, key)
	}
	return dir, keys, nil
}

// explainJournal says what to do where there is no journal.
func explainJournal(folder string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no journal in %s: no agent has started with this configuration on this machine; name the folder with --dir", folder)
	}
	return err
}
