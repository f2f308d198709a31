package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mesoc/mesoc/libcontainer/template"
)

var specCommand = command{
	name:  "spec",
	usage: "write a config.json to start from",
	description: `Writes a config.json that runs sh on a terminal in a read-only root
filesystem, for you to edit. An existing one is not overwritten.`,
	options: [][]option{{
		{name: "bundle", alias: "b", meta: "DIR", usage: "directory of the bundle (default: the current directory)"},
		{name: "rootless", kind: boolean, usage: "for a user who is not root"},
	}},
	hostless: true,
	run:      spec,
}

func spec(c *call) error {
	config := template.Config()
	if c.flags.is("rootless") {
		template.Rootless(config, os.Geteuid(), os.Getegid())
	}
	data, err := json.MarshalIndent(config, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(c.flags.text("bundle"), "config.json")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("write %s: file config.json exists (remove it first)", path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
