package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/config"
)

func keygenCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "keygen --out FILE",
		Short: "Makes a region's key pair",
		Long: `Makes the Ed25519 key pair that a region signs its records with. The private key
goes into a new file that only its owner can read (identity.private_key_file);
the public key is printed, for identity.public_keys in every region.`,
		Example: "  failoverd keygen --out /etc/failoverd/region.key",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("--out is missing, want the file for the private key")}
			}
			private, public, err := config.GenerateKey()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if errors.Is(err, fs.ErrExist) {
				return usageError{fmt.Errorf("%s is there already; a key is never overwritten: move it away first", out)}
			}
			if err != nil {
				return usageError{fmt.Errorf("write the private key: %w", err)}
			}
			if _, err = f.Write(private); err == nil {
				err = f.Sync()
			}
			if err = errors.Join(err, f.Close()); err != nil {
				return fmt.Errorf("write the private key: %w", err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), public)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "`file` for the private key; it must not exist")
	return cmd
}
