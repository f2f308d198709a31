package main

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:embed bundles/*.json
var configs embed.FS

// bundles are directories: minimal and default are what their names say (the
// default is what `spec` writes), docker is what a Docker engine gives without a
// system call filter, filtered is that with one; sleep is the default with a program that stays.
type bundles struct {
	minimal, standard, docker, filtered, sleep string
}

func makeBundles(work, seccomp string) (bundles, error) {
	var b bundles
	rootfs := filepath.Join(work, "rootfs")
	if err := makeRootfs(rootfs); err != nil {
		return b, err
	}
	for _, one := range []struct {
		dir    *string
		name   string
		config string
		edit   func(config map[string]any) error
	}{
		{&b.minimal, "minimal", "minimal", nil},
		{&b.standard, "default", "default", nil},
		{&b.docker, "docker", "docker", func(config map[string]any) error { return dockerise(config, work) }},
		{&b.filtered, "filtered", "docker", func(config map[string]any) error {
			return errors.Join(dockerise(config, work), addFilter(config, seccomp))
		}},
		{&b.sleep, "sleep", "default", func(config map[string]any) error {
			config["process"].(map[string]any)["args"] = []string{"/bin/sleep", "1000"}
			return nil
		}},
	} {
		*one.dir = filepath.Join(work, one.name)
		if err := makeBundle(*one.dir, one.config, rootfs, one.edit); err != nil {
			return b, fmt.Errorf("make bundle %s: %w", one.name, err)
		}
	}
	return b, nil
}

func makeRootfs(dir string) error {
	for _, sub := range []string{"bin", "dev", "proc", "sys", "etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return err
		}
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return err
	}
	text, err := os.ReadFile(busybox)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "bin/busybox"), text, 0o755); err != nil {
		return err
	}
	for _, applet := range []string{"true", "sleep", "sh"} {
		if err := os.Symlink("busybox", filepath.Join(dir, "bin", applet)); err != nil {
			return err
		}
	}
	return nil
}

func makeBundle(dir, name, rootfs string, edit func(map[string]any) error) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	text, err := configs.ReadFile("bundles/" + name + ".json")
	if err != nil {
		return err
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		return err
	}
	config["root"].(map[string]any)["path"] = rootfs
	if edit != nil {
		if err := edit(config); err != nil {
			return err
		}
	}
	text, err = json.MarshalIndent(config, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), text, 0o644)
}

// dockerise makes the files that an engine binds into /etc.
func dockerise(config map[string]any, work string) error {
	for _, mount := range config["mounts"].([]any) {
		mount := mount.(map[string]any)
		if mount["type"] != "bind" {
			continue
		}
		source := filepath.Join(work, mount["source"].(string))
		if err := os.WriteFile(source, []byte("127.0.0.1 localhost\n"), 0o644); err != nil {
			return err
		}
		mount["source"] = source
	}
	return nil
}

func addFilter(config map[string]any, seccomp string) error {
	text, err := os.ReadFile(seccomp)
	if err != nil {
		return err
	}
	var filter any
	if err := json.Unmarshal(text, &filter); err != nil {
		return fmt.Errorf("parse %s: %w", seccomp, err)
	}
	config["linux"].(map[string]any)["seccomp"] = filter
	return nil
}
