package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// The files of contrib for engines are what tests/engines uses, but for the
// place of the program, which is Makefile's. What no engine here can read (CRI-O's,
// Kubernetes' and Nomad's) must at least agree with those that are used.
const (
	installed = "/usr/local/bin/mesoc"
	handler   = "mesoc"
)

func contrib(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "contrib", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func contribTOML(t *testing.T, name string) map[string]any {
	t.Helper()
	doc := map[string]any{}
	if err := toml.Unmarshal([]byte(contrib(t, name)), &doc); err != nil {
		t.Fatalf("contrib/%s: %v", name, err)
	}
	return doc
}

// at follows keys into nested tables.
func at(t *testing.T, doc any, keys ...string) any {
	t.Helper()
	for _, key := range keys {
		table, ok := doc.(map[string]any)
		if !ok || table[key] == nil {
			t.Fatalf("no %s in %v", strings.Join(keys, "."), doc)
		}
		doc = table[key]
	}
	return doc
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if got != want {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestContribDocker(t *testing.T) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(contrib(t, "docker/daemon.json")), &doc); err != nil {
		t.Fatal(err)
	}
	same(t, "default-runtime", at(t, doc, "default-runtime"), handler)
	same(t, "path", at(t, doc, "runtimes", handler, "path"), installed)
}

func TestContribPodman(t *testing.T) {
	doc := contribTOML(t, "podman/containers.conf")
	same(t, "runtime", at(t, doc, "engine", "runtime"), handler)
	paths := at(t, doc, "engine", "runtimes", handler).([]any)
	same(t, "the first path", paths[0], installed)
}

func TestContribContainerd(t *testing.T) {
	for file, plugin := range map[string]string{
		"containerd/config.toml":   "io.containerd.grpc.v1.cri",
		"containerd/config-2.toml": "io.containerd.cri.v1.runtime",
	} {
		cri := at(t, contribTOML(t, file), "plugins", plugin, "containerd")
		same(t, file+": default", at(t, cri, "default_runtime_name"), handler)
		same(t, file+": program", at(t, cri, "runtimes", handler, "options", "BinaryName"), installed)
		same(t, file+": type", at(t, cri, "runtimes", handler, "runtime_type"), "io.containerd.runc.v2")
	}
}

func TestContribCRIO(t *testing.T) {
	runtime := at(t, contribTOML(t, "crio/10-mesoc.conf"), "crio", "runtime")
	same(t, "default_runtime", at(t, runtime, "default_runtime"), handler)
	same(t, "cgroup_manager", at(t, runtime, "cgroup_manager"), "cgroupfs")
	same(t, "runtime_path", at(t, runtime, "runtimes", handler, "runtime_path"), installed)
	env := at(t, runtime, "runtimes", handler, "monitor_env").([]any)
	if !slices.Contains(env, any("MESOC_CGROUPS_LEAF=container")) {
		t.Errorf("monitor_env %v names no cgroup that CRI-O knows", env)
	}
}

func TestContribKubernetesAndNomad(t *testing.T) {
	class := contrib(t, "kubernetes/runtimeclass.yaml")
	for _, line := range []string{"apiVersion: node.k8s.io/v1", "kind: RuntimeClass", "handler: " + handler} {
		if !slices.Contains(strings.Split(class, "\n"), line) {
			t.Errorf("runtimeclass.yaml has no line %q", line)
		}
	}
	allowed := regexp.MustCompile(`(?s)plugin "docker" \{\s+config \{\s+allow_runtimes = \[([^]]*)\]\s+\}\s+\}`).
		FindStringSubmatch(contrib(t, "nomad/client.hcl"))
	if allowed == nil {
		t.Fatal("client.hcl: no list of runtimes for the docker plugin")
	}
	var names []string
	if err := json.Unmarshal([]byte("["+allowed[1]+"]"), &names); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(names, handler) {
		t.Errorf("client.hcl allows %v, and not the runtime of docker/daemon.json", names)
	}
}
