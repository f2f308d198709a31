package plan

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const (
	ro        = unix.MOUNT_ATTR_RDONLY
	nosuid    = unix.MOUNT_ATTR_NOSUID
	nodev     = unix.MOUNT_ATTR_NODEV
	noexec    = unix.MOUNT_ATTR_NOEXEC
	noatime   = unix.MOUNT_ATTR_NOATIME
	strict    = unix.MOUNT_ATTR_STRICTATIME
	nodir     = unix.MOUNT_ATTR_NODIRATIME
	nofollow  = unix.MOUNT_ATTR_NOSYMFOLLOW
	recursive = unix.MS_REC
)

func TestParseMountOptions(t *testing.T) {
	for options, want := range map[string]MountOptions{
		"":            {},
		"defaults":    {},
		"ro":          {Flags: unix.MS_RDONLY, Set: ro},
		"rw":          {Clear: ro},
		"ro rw":       {Clear: ro},
		"rw ro":       {Flags: unix.MS_RDONLY, Set: ro},
		"ro defaults": {Flags: unix.MS_RDONLY, Set: ro},
		"ro ro ro":    {Flags: unix.MS_RDONLY, Set: ro},
		"nosuid nodev noexec nosymfollow nodiratime": {
			Flags: unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSYMFOLLOW | unix.MS_NODIRATIME,
			Set:   nosuid | nodev | noexec | nofollow | nodir},
		"suid dev exec symfollow diratime": {Clear: nosuid | nodev | noexec | nofollow | nodir},
		"nosuid suid dev nodev":            {Flags: unix.MS_NODEV, Set: nodev, Clear: nosuid},

		"noatime":                  {Flags: unix.MS_NOATIME, Set: noatime, Clear: atime},
		"relatime":                 {Flags: unix.MS_RELATIME, Clear: atime},
		"strictatime":              {Flags: unix.MS_STRICTATIME, Set: strict, Clear: atime},
		"noatime strictatime":      {Flags: unix.MS_STRICTATIME, Set: strict, Clear: atime},
		"strictatime noatime":      {Flags: unix.MS_NOATIME, Set: noatime, Clear: atime},
		"strictatime relatime":     {Flags: unix.MS_RELATIME, Clear: atime},
		"atime":                    {Clear: atime},
		"nostrictatime":            {Clear: atime},
		"norelatime":               {},
		"noatime atime":            {Clear: atime},
		"strictatime atime":        {Flags: unix.MS_STRICTATIME, Set: strict, Clear: atime},
		"noatime nostrictatime":    {Flags: unix.MS_NOATIME, Set: noatime, Clear: atime},
		"relatime norelatime":      {},
		"noatime norelatime":       {Flags: unix.MS_NOATIME, Set: noatime, Clear: atime},
		"noatime nodiratime atime": {Flags: unix.MS_NODIRATIME, Set: nodir, Clear: atime},

		"sync dirsync mand lazytime iversion silent acl":                                               {Flags: SuperblockFlags},
		"sync dirsync mand lazytime iversion silent acl async nomand nolazytime noiversion loud noacl": {Flags: unix.MS_DIRSYNC},

		"rro":                                    {RecSet: ro},
		"rrw":                                    {RecClear: ro},
		"rro rrw":                                {RecClear: ro},
		"rnosuid rnodev rnoexec":                 {RecSet: nosuid | nodev | noexec},
		"rsuid rdev rexec":                       {RecClear: nosuid | nodev | noexec},
		"rnosymfollow rnodiratime":               {RecSet: nofollow | nodir},
		"rsymfollow rdiratime":                   {RecClear: nofollow | nodir},
		"rnoatime":                               {RecSet: noatime, RecClear: atime},
		"rstrictatime":                           {RecSet: strict, RecClear: atime},
		"rrelatime":                              {RecClear: atime},
		"ratime":                                 {RecClear: atime},
		"rnostrictatime":                         {RecClear: atime},
		"rnorelatime":                            {},
		"rnoatime ratime":                        {RecClear: atime},
		"rw rro":                                 {RecSet: ro},
		"ro rrw":                                 {RecClear: ro},
		"rro rw":                                 {RecSet: ro, Clear: ro},
		"ro nosuid rrw":                          {Flags: unix.MS_NOSUID, Set: nosuid, RecClear: ro},
		"noatime rstrictatime nodev":             {Flags: unix.MS_NODEV, Set: nodev, RecSet: strict, RecClear: atime},
		"rstrictatime noatime noexec":            {Flags: unix.MS_NOATIME | unix.MS_NOEXEC, Set: noatime | noexec, Clear: atime, RecSet: strict, RecClear: atime},
		"strictatime ratime":                     {Flags: unix.MS_STRICTATIME, Set: strict, Clear: atime, RecClear: atime},
		"noatime ratime":                         {RecClear: atime},
		"rbind rro":                              {Bind: true, Recursive: true, RecSet: ro},
		"bind":                                   {Bind: true},
		"bind ro":                                {Bind: true, Flags: unix.MS_RDONLY, Set: ro},
		"rbind bind":                             {Bind: true, Recursive: true},
		"bind idmap":                             {Bind: true, IDMap: true},
		"rbind idmap ridmap":                     {Bind: true, Recursive: true, RecIDMap: true},
		"remount ro":                             {Remount: true, Flags: unix.MS_RDONLY, Set: ro},
		"tmpcopyup":                              {TmpCopyUp: true},
		"private":                                {Propagation: []uintptr{unix.MS_PRIVATE}},
		"rprivate":                               {Propagation: []uintptr{unix.MS_PRIVATE | recursive}},
		"slave shared":                           {Propagation: []uintptr{unix.MS_SLAVE, unix.MS_SHARED}},
		"rslave rshared rshared":                 {Propagation: []uintptr{unix.MS_SLAVE | recursive, unix.MS_SHARED | recursive}},
		"unbindable runbindable":                 {Propagation: []uintptr{unix.MS_UNBINDABLE, unix.MS_UNBINDABLE | recursive}},
		"mode=755 size=64k":                      {Data: "mode=755,size=64k"},
		"mode=755 ro size=64k mode=755":          {Flags: unix.MS_RDONLY, Set: ro, Data: "mode=755,size=64k"},
		"lowerdir+=/a lowerdir+=/b lowerdir+=/a": {Data: "lowerdir+=/a,lowerdir+=/b,lowerdir+=/a"},
		"device=/dev/a device=/dev/b":            {Data: "device=/dev/a,device=/dev/b"},
		"newinstance newinstance":                {Data: "newinstance"},
		"newinstance newinstance=1":              {Data: "newinstance,newinstance=1"},
		"RO":                                     {Data: "RO"},
		"ro=1":                                   {Data: "ro=1"},
	} {
		got, err := ParseMountOptions(strings.Split(options, " "))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q:\n\t%+v, %v\nwant\n\t%+v", options, got, err, want)
		}
	}
}

func TestParseMountOptionsErrors(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string
	}{
		{[]string{"ro", "a\x00b"}, `mount option "a\x00b": contains a NUL byte`},
		{[]string{"size=1m", "mode=755", "size=2m"}, `mount option "size=2m": contradicts "size=1m"`},
		{[]string{"x=" + strings.Repeat("y", unix.Getpagesize())}, "mount options of the filesystem: "},
	} {
		if _, err := ParseMountOptions(c.options); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.40q: %v, want %s", c.options, err, c.want)
		}
	}
}

// specTable are the options of the runtime-spec's table, those it recommends,
// and those that runc has beyond it.
const specTable = `async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime
	noexec noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave
	runbindable rw shared silent slave strictatime suid sync unbindable
	nosymfollow symfollow rro rrw rnosuid rsuid rnodev rdev rnoexec rexec rnoatime ratime rrelatime rnorelatime rstrictatime
	rnostrictatime rnodiratime rdiratime rnosymfollow rsymfollow idmap ridmap tmpcopyup mand nomand
	acl noacl`

func TestMountOptionNames(t *testing.T) {
	want := strings.Fields(specTable)
	slices.Sort(want)
	if got := MountOptionNames(); !slices.Equal(got, want) {
		t.Errorf("known options\n\t%q\nwant\n\t%q", got, want)
	}
	for _, name := range want {
		m, err := ParseMountOptions([]string{name})
		if err != nil || m.Data != "" {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestLaterWins takes every pair of opposite options in both orders.
func TestLaterWins(t *testing.T) {
	for _, on := range mountOptions {
		for _, off := range mountOptions {
			if on.flag != off.flag || on.kind != optSet || off.kind != optClear {
				continue
			}
			a, _ := ParseMountOptions([]string{on.name, off.name})
			b, _ := ParseMountOptions([]string{off.name, on.name})
			if a.Flags&on.flag != 0 || a.Set&on.attr != 0 {
				t.Errorf("%s %s is still %s: %+v", on.name, off.name, on.name, a)
			}
			if b.Flags&on.flag == 0 || b.Set&on.attr != on.attr {
				t.Errorf("%s %s is not %s: %+v", off.name, on.name, on.name, b)
			}
		}
	}
}

func TestPropagation(t *testing.T) {
	want := map[string]uintptr{
		"shared": unix.MS_SHARED, "slave": unix.MS_SLAVE, "private": unix.MS_PRIVATE, "unbindable": unix.MS_UNBINDABLE,
		"rshared": unix.MS_SHARED | recursive, "rslave": unix.MS_SLAVE | recursive,
		"rprivate": unix.MS_PRIVATE | recursive, "runbindable": unix.MS_UNBINDABLE | recursive,
	}
	names := PropagationNames()
	if len(names) != len(want) {
		t.Errorf("modes %q", names)
	}
	for _, name := range names {
		if got, known := Propagation(name); !known || got != want[name] {
			t.Errorf("%s: %#x, %v", name, got, known)
		}
	}
	for _, name := range []string{"", "ro", "Shared", "public"} {
		if got, known := Propagation(name); known {
			t.Errorf("%q is a mode: %#x", name, got)
		}
	}
}

// FuzzMountOptions looks for lists that mount_setattr(2) would refuse, or that
// mean something else when they are parsed once more.
func FuzzMountOptions(f *testing.F) {
	for _, name := range MountOptionNames() {
		f.Add(name + "\n" + name)
	}
	f.Add("nosuid\nstrictatime\nmode=755\nsize=65536k")
	f.Add("rbind\nrw\nrro\nnoatime\nratime")
	f.Add("size=1\nsize=2")
	f.Add("lowerdir+=a\nlowerdir+=a\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		options := strings.Split(text, "\n")
		m, err := ParseMountOptions(options)
		if err != nil {
			return
		}
		for _, a := range [...]struct{ set, clear uint64 }{{m.Set, m.Clear}, {m.RecSet, m.RecClear}} {
			if a.set&a.clear != 0 && a.set&a.clear&^atime != 0 {
				t.Errorf("%q sets and clears %#x", options, a.set&a.clear)
			}
			if c := a.clear & atime; c != 0 && c != atime || a.set&atime != 0 && c == 0 || a.set&atime == atime {
				t.Errorf("%q has the access-time mode %#x of %#x", options, a.set&atime, c)
			}
		}
		if strings.IndexByte(m.Data, 0) >= 0 || len(m.Data) >= unix.Getpagesize() {
			t.Errorf("%q gives data that mount(2) would cut", options)
		}
		again, err := ParseMountOptions(append(slices.Clone(options), options...))
		lists := strings.Contains(text, "+") || strings.Contains(text, "device") // grow when repeated
		if !lists && (err != nil || again.Data != m.Data || again.Flags != m.Flags) {
			t.Errorf("%q twice is %+v, %v, once %+v", options, again, err, m)
		}
	})
}
