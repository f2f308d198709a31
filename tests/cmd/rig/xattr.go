package main

import (
	"encoding/hex"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// xattr prints an extended attribute of a file, or sets it: to a text, or with
// 0x in front, which is also how security attributes are printed, to bytes.
func xattr(args []string) error {
	switch len(args) {
	case 2:
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(args[0], args[1], value)
		if err != nil {
			return &os.PathError{Op: "read " + args[1] + " of", Path: args[0], Err: err}
		}
		if strings.HasPrefix(args[1], "security.") {
			fmt.Println("0x" + hex.EncodeToString(value[:n]))
		} else {
			fmt.Println(string(value[:n]))
		}
		return nil
	case 3:
		value := []byte(args[2])
		if digits, ok := strings.CutPrefix(args[2], "0x"); ok {
			var err error
			if value, err = hex.DecodeString(digits); err != nil {
				return err
			}
		}
		if err := unix.Lsetxattr(args[0], args[1], value, 0); err != nil {
			return &os.PathError{Op: "set " + args[1] + " of", Path: args[0], Err: err}
		}
		return nil
	}
	return fmt.Errorf("want FILE NAME [VALUE]")
}
