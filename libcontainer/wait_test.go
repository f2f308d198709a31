package libcontainer

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/mesoc/mesoc/libcontainer/store"
)

// Whoever ends a container and whoever sees its end come in any order: the
// first of each is believed, and neither drives the other out.
func TestMergeEnd(t *testing.T) {
	end, later := &store.Termination{Signal: 9}, &store.Termination{ExitCode: 1}
	limit := &store.Limitation{Reason: store.LimitationMemory, Message: "m", Resources: store.Resources{Mem: 96 << 19}}
	other := &store.Limitation{Reason: store.LimitationDisk}
	const both = `{"signal":9,"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"m","resources":{"mem":48}}`
	type step struct {
		end     *store.Termination
		limit   *store.Limitation
		changed bool
		want    string
	}
	for name, steps := range map[string][]step{
		"the end first":   {{end, nil, true, `{"signal":9}`}, {later, limit, true, both}, {later, other, false, both}},
		"the limit first": {{nil, limit, true, `{"reason":"REASON_CONTAINER_LIMITATION_MEMORY","message":"m","resources":{"mem":48}}`}, {end, other, true, both}},
		"both at once":    {{end, limit, true, both}, {nil, nil, false, both}},
		"nothing":         {{nil, nil, false, "null"}},
		"no figures":      {{nil, other, true, `{"reason":"REASON_CONTAINER_LIMITATION_DISK"}`}},
		"a time": {{&store.Termination{Finished: time.Unix(1, 5)}, nil, true,
			`{"exit_code":0,"finished_at":"1970-01-01T00:00:01.000000005Z"}`}},
	} {
		var r store.Record
		for i, s := range steps {
			if changed := mergeEnd(&r, s.end, s.limit); changed != s.changed {
				t.Errorf("%s, step %d: changed is %v", name, i, changed)
			}
			if got, err := json.Marshal(terminationOf(&r)); err != nil || string(got) != s.want {
				t.Errorf("%s, step %d: got %s, %v, want %s", name, i, got, err, s.want)
			}
		}
	}
}
