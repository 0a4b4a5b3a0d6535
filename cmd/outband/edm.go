package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/outband/outband/dlp"
)

// edmCommand is `outband edm key|hash`: exact data match, the part that runs where the data is.
func edmCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "edm", Short: "Hash a table of exact values where it is, so that no value of it is uploaded", Args: cobra.NoArgs}
	cmd.AddCommand(edmKeyCommand(), edmHashCommand())
	return cmd
}

func edmKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "key FILE", Short: "Make the key of a table and write it to a new file, mode 0600",
		Args: cobra.ExactArgs(1), SilenceUsage: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.OpenFile(args[0], os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
			if err != nil {
				return codedError{withoutPath(err), 2}
			}
			key := dlp.NewTableKey()
			_, err = fmt.Fprintln(f, key.Text())
			if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
				return codedError{withoutPath(err), 2}
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key id %s\n", key.ID())
			return err
		},
	}
}

func edmHashCommand() *cobra.Command {
	var id, keyFile, output string
	var columns []string
	cmd := &cobra.Command{
		Use:   "hash FILE.csv|-",
		Short: "Hash columns of a CSV file for an exact table",
		Long: `Hash columns of a CSV file, whose first row names them, for an exact table. What is written holds keyed digests and no value: upload it to the table.

A value is taken in lower case and NFKC; one with a digit without blanks and - . + _. Values under 6 bytes, over 128, and of more than 4 words are left out and
counted. Exit code 1: a row cannot be read; its number is on standard error, and no file is left.`,
		Args: cobra.ExactArgs(1), SilenceUsage: true,
	}
	cmd.Flags().StringVar(&id, "id", "", "id of the table")
	cmd.Flags().StringSliceVar(&columns, "columns", nil, "columns to hash, with commas between")
	cmd.Flags().StringVar(&keyFile, "key-file", "", "file with the key of the table")
	cmd.Flags().StringVarP(&output, "output", "o", "", "file to write; standard output if it is not given")
	for _, name := range []string{"id", "columns", "key-file"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // The flag was defined above.
		}
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		text, err := readLimited(keyFile, 1<<10)
		if err != nil {
			return codedError{fmt.Errorf("--key-file: %w", err), 2}
		}
		key, err := dlp.ParseTableKey(string(text))
		if err != nil {
			return codedError{fmt.Errorf("--key-file: %w", err), 2}
		}
		in := cmd.InOrStdin()
		if args[0] != "-" {
			f, err := os.Open(args[0])
			if err != nil {
				return codedError{withoutPath(err), 2}
			}
			defer func() { err = errors.Join(err, f.Close()) }()
			in = f
		}
		head, err := hashTo(cmd.OutOrStdout(), output, func(w io.Writer) (dlp.Header, error) {
			return dlp.HashTable(w, bufio.NewReaderSize(in, 1<<20), id, columns, key)
		})
		if err != nil {
			return codedError{err, 1}
		}
		cmd.PrintErrf("%d rows, %d values hashed, %d too short and %d too long left out, key id %s\n", head.Rows, head.Cells, head.Short, head.Long, head.KeyID)
		return nil
	}
	return cmd
}

// hashTo writes to a file that must not be there, or to out. A file that could not be finished is removed.
func hashTo(out io.Writer, name string, write func(io.Writer) (dlp.Header, error)) (dlp.Header, error) {
	if name == "" {
		return write(out)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return dlp.Header{}, withoutPath(err)
	}
	head, err := write(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return head, errors.Join(err, os.Remove(name))
	}
	return head, nil
}
