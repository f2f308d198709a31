package plan

import (
	"fmt"
	"sort"
	"strings"

	"golang.org/x/sys/unix"
)

// MountOptions is what the options of one mount ask for. A new filesystem is
// mounted with Flags and Data. A bind keeps what its source has, except where
// Set and Clear say otherwise. In both cases RecSet and RecClear come next,
// for the mount and all below it, then Set and Clear for the mount alone, then
// the propagation. The parser has settled which of two options wins, so that
// this order gives the later one its way.
type MountOptions struct {
	// Flags are the MS_* flags for mount(2) of a new filesystem. For a bind
	// they also tell what mount_setattr(2) has no attribute for (sync,
	// dirsync, mand, lazytime, iversion, silent: the superblock's, not the
	// mount's).
	Flags uintptr
	// Set and Clear are the MOUNT_ATTR_* asked for and asked away, of the
	// mount alone. An access-time mode in Set has MOUNT_ATTR__ATIME in Clear,
	// as mount_setattr(2) wants it.
	Set, Clear uint64
	// RecSet and RecClear are the same for the mount and all below it.
	RecSet, RecClear uint64
	// Propagation holds MS_SHARED and its like, with MS_REC where recursive,
	// to be applied in this order.
	Propagation []uintptr
	// Data is what the filesystem itself has to understand.
	Data string
	// Bind and Recursive are bind and rbind.
	Bind, Recursive bool
	// IDMap and RecIDMap are idmap and ridmap.
	IDMap, RecIDMap bool
	// TmpCopyUp asks that a tmpfs starts with a copy of what it hides.
	TmpCopyUp bool
	// Remount changes the mount that is there instead of making one.
	Remount bool
}

// SuperblockFlags are the flags of a mount that belong to its filesystem and
// that no bind can change.
const SuperblockFlags = unix.MS_SYNCHRONOUS | unix.MS_DIRSYNC | unix.MS_MANDLOCK | unix.MS_LAZYTIME |
	unix.MS_I_VERSION | unix.MS_SILENT | unix.MS_POSIXACL

type optionKind uint8

const (
	optIgnore    optionKind = iota
	optSet                  // a flag, and the attribute if there is one
	optClear                // the same, taken away
	optRecSet               // an attribute of the mount and all below it
	optRecClear             // the same, taken away
	optPropagate            // propagation
	optBind
	optRBind
	optRemount
	optIDMap
	optRecIDMap
	optTmpCopyUp
)

type mountOption struct {
	name string
	kind optionKind
	flag uintptr // MS_*
	attr uint64  // MOUNT_ATTR_*
	mask uint64  // the bits of which attr is one value
}

const atime = unix.MOUNT_ATTR__ATIME

// mountOptions is the spec's table, sorted by name: it is searched for every
// option of every mount. An array and not a map, because a map would be filled
// at the start of every command.
var mountOptions = [...]mountOption{
	{"acl", optSet, unix.MS_POSIXACL, 0, 0},
	{"async", optClear, unix.MS_SYNCHRONOUS, 0, 0},
	{"atime", optClear, unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, atime},
	{"bind", optBind, 0, 0, 0},
	{"defaults", optIgnore, 0, 0, 0},
	{"dev", optClear, unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
	{"diratime", optClear, unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
	{"dirsync", optSet, unix.MS_DIRSYNC, 0, 0},
	{"exec", optClear, unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{"idmap", optIDMap, 0, 0, 0},
	{"iversion", optSet, unix.MS_I_VERSION, 0, 0},
	{"lazytime", optSet, unix.MS_LAZYTIME, 0, 0},
	{"loud", optClear, unix.MS_SILENT, 0, 0},
	{"mand", optSet, unix.MS_MANDLOCK, 0, 0},
	{"noacl", optClear, unix.MS_POSIXACL, 0, 0},
	{"noatime", optSet, unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, atime},
	{"nodev", optSet, unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
	{"nodiratime", optSet, unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
	{"noexec", optSet, unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{"noiversion", optClear, unix.MS_I_VERSION, 0, 0},
	{"nolazytime", optClear, unix.MS_LAZYTIME, 0, 0},
	{"nomand", optClear, unix.MS_MANDLOCK, 0, 0},
	{"norelatime", optClear, unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME, atime},
	{"nostrictatime", optClear, unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, atime},
	{"nosuid", optSet, unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{"nosymfollow", optSet, unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"private", optPropagate, unix.MS_PRIVATE, 0, 0},
	{"ratime", optRecClear, unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, atime},
	{"rbind", optRBind, 0, 0, 0},
	{"rdev", optRecClear, unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
	{"rdiratime", optRecClear, unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
	{"relatime", optSet, unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME, atime},
	{"remount", optRemount, 0, 0, 0},
	{"rexec", optRecClear, unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{"ridmap", optRecIDMap, 0, 0, 0},
	{"rnoatime", optRecSet, unix.MS_NOATIME, unix.MOUNT_ATTR_NOATIME, atime},
	{"rnodev", optRecSet, unix.MS_NODEV, unix.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
	{"rnodiratime", optRecSet, unix.MS_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
	{"rnoexec", optRecSet, unix.MS_NOEXEC, unix.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
	{"rnorelatime", optRecClear, unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME, atime},
	{"rnostrictatime", optRecClear, unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, atime},
	{"rnosuid", optRecSet, unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{"rnosymfollow", optRecSet, unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"ro", optSet, unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{"rprivate", optPropagate, unix.MS_PRIVATE | unix.MS_REC, 0, 0},
	{"rrelatime", optRecSet, unix.MS_RELATIME, unix.MOUNT_ATTR_RELATIME, atime},
	{"rro", optRecSet, unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{"rrw", optRecClear, unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{"rshared", optPropagate, unix.MS_SHARED | unix.MS_REC, 0, 0},
	{"rslave", optPropagate, unix.MS_SLAVE | unix.MS_REC, 0, 0},
	{"rstrictatime", optRecSet, unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, atime},
	{"rsuid", optRecClear, unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{"rsymfollow", optRecClear, unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"runbindable", optPropagate, unix.MS_UNBINDABLE | unix.MS_REC, 0, 0},
	{"rw", optClear, unix.MS_RDONLY, unix.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
	{"shared", optPropagate, unix.MS_SHARED, 0, 0},
	{"silent", optSet, unix.MS_SILENT, 0, 0},
	{"slave", optPropagate, unix.MS_SLAVE, 0, 0},
	{"strictatime", optSet, unix.MS_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME, atime},
	{"suid", optClear, unix.MS_NOSUID, unix.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
	{"symfollow", optClear, unix.MS_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
	{"sync", optSet, unix.MS_SYNCHRONOUS, 0, 0},
	{"tmpcopyup", optTmpCopyUp, 0, 0, 0},
	{"unbindable", optPropagate, unix.MS_UNBINDABLE, 0, 0},
}

// MountOptionNames are the options that ParseMountOptions knows, sorted. All
// others are the filesystem's.
func MountOptionNames() []string {
	names := make([]string, len(mountOptions))
	for i := range mountOptions {
		names[i] = mountOptions[i].name
	}
	return names
}

func findMountOption(name string) *mountOption {
	lo, hi := 0, len(mountOptions)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch strings.Compare(mountOptions[mid].name, name) {
		case 0:
			return &mountOptions[mid]
		case -1:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return nil
}

// ParseMountOptions reads the options of one mount in their order: a later
// option overrides an earlier one, the same one twice is harmless. What is not
// in the table is the filesystem's own and goes to Data; there, two values of
// one key are an error, because filesystems differ in which of them wins.
// Whether data makes sense at all (it does not on a bind) is the caller's to say.
func ParseMountOptions(options []string) (MountOptions, error) {
	var m MountOptions
	var data []string
	for _, name := range options {
		if name == "" {
			continue
		}
		if strings.IndexByte(name, 0) >= 0 {
			return m, fmt.Errorf("mount option %q: contains a NUL byte", name)
		}
		if o := findMountOption(name); o != nil {
			m.apply(o)
			continue
		}
		known, err := repeated(data, name)
		if err != nil {
			return m, err
		}
		if !known {
			data = append(data, name)
		}
	}
	m.Data = strings.Join(data, ",")
	// mount(2) cuts what is longer, without a word.
	if limit := unix.Getpagesize() - 1; len(m.Data) > limit {
		return m, fmt.Errorf("mount options of the filesystem: %d bytes, and the kernel takes %d", len(m.Data), limit)
	}
	return m, nil
}

func (m *MountOptions) apply(o *mountOption) {
	switch o.kind {
	case optSet:
		m.Flags = m.Flags&^o.flags() | o.flag
		m.Set, m.Clear = setAttr(m.Set, m.Clear, o)
	case optClear:
		m.Flags &^= o.flag
		m.Set, m.Clear = clearAttr(m.Set, m.Clear, o)
	case optRecSet:
		// What was said of the mount alone is overridden.
		m.Flags &^= o.flags()
		m.Set, m.Clear = m.Set&^o.mask, m.Clear&^o.mask
		m.RecSet, m.RecClear = setAttr(m.RecSet, m.RecClear, o)
	case optRecClear:
		m.Flags &^= o.flag
		if o.mask != atime || m.Set&atime == o.attr { // not another mode
			m.Set, m.Clear = m.Set&^o.mask, m.Clear&^o.mask
		}
		m.RecSet, m.RecClear = clearAttr(m.RecSet, m.RecClear, o)
	case optPropagate:
		m.propagate(o.flag)
	case optBind:
		m.Bind = true
	case optRBind:
		m.Bind, m.Recursive = true, true
	case optRemount:
		m.Remount = true
	case optIDMap:
		m.IDMap, m.RecIDMap = true, false
	case optRecIDMap:
		m.IDMap, m.RecIDMap = false, true
	case optTmpCopyUp:
		m.TmpCopyUp = true
	}
}

// propagate appends a propagation. Several are applied one after the other and
// mean something together (slave, then shared: receives and passes on), so
// only an immediate repetition is dropped.
func (m *MountOptions) propagate(flag uintptr) {
	if n := len(m.Propagation); n > 0 && m.Propagation[n-1] == flag {
		return
	}
	m.Propagation = append(m.Propagation, flag)
}

// flags are all those of which o's is one value: a mount has one access-time mode.
func (o *mountOption) flags() uintptr {
	if o.mask == atime {
		return unix.MS_NOATIME | unix.MS_RELATIME | unix.MS_STRICTATIME
	}
	return o.flag
}

func setAttr(set, clear uint64, o *mountOption) (uint64, uint64) {
	set = set&^o.mask | o.attr
	if o.mask == atime {
		return set, clear | atime
	}
	return set, clear &^ o.mask
}

// clearAttr takes an attribute away. The access-time modes are one of three,
// and the kernel's default is relatime: not noatime (atime) and not strictatime
// are relatime, unless another mode was asked for; not relatime asks for none.
func clearAttr(set, clear uint64, o *mountOption) (uint64, uint64) {
	if o.mask != atime {
		return set &^ o.mask, clear | o.mask
	}
	asked := clear&atime != 0
	switch {
	case o.attr == unix.MOUNT_ATTR_RELATIME:
		if asked && set&atime == unix.MOUNT_ATTR_RELATIME {
			return set, clear &^ atime
		}
		return set, clear
	case asked && set&atime != o.attr:
		return set, clear
	default:
		return set &^ atime, clear | atime
	}
}

// repeated reports whether an option of a filesystem was there already, and
// fails where its key was there with another value.
func repeated(data []string, option string) (bool, error) {
	key, _, valued := strings.Cut(option, "=")
	// These are lists, one value an option (overlay's lowerdir+, erofs' and
	// btrfs' device).
	if strings.HasSuffix(key, "+") || key == "device" {
		return false, nil
	}
	for _, earlier := range data {
		if earlier == option {
			return true, nil
		}
		if k, _, v := strings.Cut(earlier, "="); valued && v && k == key {
			return false, fmt.Errorf("mount option %q: contradicts %q", option, earlier)
		}
	}
	return false, nil
}

// Propagation is the mount(2) flags of a propagation mode as
// linux.rootfsPropagation and the options of a mount name it.
func Propagation(name string) (flags uintptr, known bool) {
	if o := findMountOption(name); o != nil && o.kind == optPropagate {
		return o.flag, true
	}
	return 0, false
}

// PropagationNames are the modes that Propagation knows, sorted.
func PropagationNames() []string {
	var names []string
	for i := range mountOptions {
		if mountOptions[i].kind == optPropagate {
			names = append(names, mountOptions[i].name)
		}
	}
	sort.Strings(names)
	return names
}
