package main

import (
	"encoding/json"

	"github.com/mesoc/mesoc/libcontainer/features"
)

var featuresCommand = command{
	name:  "features",
	usage: "print what this program can do",
	description: `Prints the features document of the OCI runtime specification. It does not
depend on the host.`,
	hostless: true,
	run: func(c *call) error {
		is := buildIdentity()
		b, err := json.MarshalIndent(features.Document(is.version, is.commit), "", "    ")
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(append(b, '\n'))
		return err
	},
}
