package libcontainer

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/mesoc/mesoc/libcontainer/compile"
	"github.com/mesoc/mesoc/libcontainer/internal/netlink"
	"github.com/mesoc/mesoc/libcontainer/internal/sys"
)

// netDevice is an interface of the host on its way into the container.
type netDevice struct {
	host, name string // what it is called there, and will be in the container
	index      int
	addresses  []netlink.Address
}

// netDevices are those of the config, none as a rule.
func (c *creation) netDevices() map[string]specs.LinuxNetDevice {
	if c.spec.Linux == nil {
		return nil
	}
	return c.spec.Linux.NetDevices
}

// checkNetwork refuses to move interfaces when the network namespace that the
// container joins is the runtime's own (config-linux, Network Devices).
func (c *creation) checkNetwork() error {
	if len(c.netDevices()) == 0 {
		return nil
	}
	joined, ok := c.inputs.fds[compile.InputNamespace("network")]
	if !ok {
		return nil // a new one
	}
	var own, other unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &own); err != nil {
		return fmt.Errorf("look at the runtime's network namespace: %w", err)
	}
	if err := unix.Fstat(joined, &other); err != nil {
		return fmt.Errorf("look at the container's network namespace: %w", err)
	}
	if own.Dev == other.Dev && own.Ino == other.Ino {
		return errors.New("/linux/netDevices: needs a network namespace other than the runtime's")
	}
	return nil
}

// moveNetDevices moves interfaces of the host into the container's network
// namespace and sets them up. All are looked at before the first is moved: what
// is moved is not moved back, the kernel returns it when the namespace ends.
func (c *creation) moveNetDevices() error {
	if len(c.netDevices()) == 0 {
		return nil
	}
	host, err := netlink.Open()
	if err != nil {
		return err
	}
	defer host.Close()
	inside, err := openNetlinkOf(c.child.Pidfd)
	if err != nil {
		return err
	}
	defer inside.Close()
	devices, err := c.readNetDevices(host, inside)
	if err != nil {
		return err
	}
	for i := range devices {
		d := &devices[i]
		if err := d.move(host, inside, c.child.Pid); err != nil {
			return fmt.Errorf("move network interface %s into the container as %s: %w", d.host, d.name, err)
		}
	}
	return nil
}

// openNetlinkOf opens a netlink socket in the network namespace of a process.
func openNetlinkOf(pidfd int) (*netlink.Conn, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, err := sys.Openat(sys.CWD, "/proc/thread-self/ns/net", unix.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer sys.Close(own)
	if err := unix.Setns(pidfd, unix.CLONE_NEWNET); err != nil {
		return nil, fmt.Errorf("enter the container's network namespace: %w", err)
	}
	conn, err := netlink.Open()
	if back := unix.Setns(own, unix.CLONE_NEWNET); back != nil {
		runtime.LockOSThread() // for good: nothing else may run here
		return nil, fmt.Errorf("return to the runtime's network namespace: %w", back)
	}
	return conn, err
}

// loopbackUp brings the loopback interface of a process's network namespace up.
func loopbackUp(pid int) error {
	fail := func(err error) error { return fmt.Errorf("bring the interface %s up: %w", loopback, err) }
	pidfd, err := sys.PidfdOpen(pid)
	if err != nil {
		return fail(err)
	}
	defer sys.Close(pidfd)
	conn, err := openNetlinkOf(pidfd)
	if err != nil {
		return fail(err)
	}
	defer conn.Close()
	index, err := conn.Index(loopback)
	if err == nil {
		err = conn.Up(index)
	}
	if err != nil {
		return fail(err)
	}
	return nil
}

// readNetDevices finds the interfaces, what they are going to be called, and
// their addresses, which do not survive the move.
func (c *creation) readNetDevices(host, inside *netlink.Conn) ([]netDevice, error) {
	configs := c.netDevices()
	var devices []netDevice
	taken := func(name string) (bool, error) {
		if slices.ContainsFunc(devices, func(d netDevice) bool { return d.name == name }) {
			return true, nil
		}
		_, err := inside.Index(name)
		if errors.Is(err, unix.ENODEV) {
			return false, nil
		}
		return true, err
	}
	names := slices.Sorted(maps.Keys(configs))
	// Templates come last, so that they do not take what others are called.
	slices.SortStableFunc(names, func(a, b string) int {
		return strings.Count(configs[a].Name, "%") - strings.Count(configs[b].Name, "%")
	})
	for _, hostName := range names {
		d := netDevice{host: hostName, name: configs[hostName].Name}
		if d.name == "" {
			d.name = hostName
		}
		var err error
		if d.index, err = host.Index(d.host); err != nil {
			return nil, fmt.Errorf("find network interface %s: %w", d.host, err)
		}
		if d.name, err = freeName(d.name, taken); err != nil {
			return nil, fmt.Errorf("name network interface %s in the container: %w", d.host, err)
		}
		if d.addresses, err = host.Addresses(d.index); err != nil {
			return nil, fmt.Errorf("read the addresses of network interface %s: %w", d.host, err)
		}
		devices = append(devices, d)
	}
	return devices, nil
}

// freeName is the name itself, which must not be taken, or the template's first
// name that is not: the kernel would number only after the move, and then
// nobody knew what it had moved.
func freeName(name string, taken func(string) (bool, error)) (string, error) {
	template, numbered := strings.CutSuffix(name, "%d")
	for n := 0; ; n++ {
		if numbered {
			name = template + strconv.Itoa(n)
		}
		switch is, err := taken(name); {
		case err != nil && !errors.Is(err, unix.EEXIST):
			return "", fmt.Errorf("look for %s: %w", name, err)
		case !is:
			return name, nil
		case !numbered:
			return "", fmt.Errorf("%s is taken there: %w [end the name in %%d to have it numbered]", name, unix.EEXIST)
		case len(name) >= unix.IFNAMSIZ:
			return "", fmt.Errorf("%s%%d has no free number: %w", template, unix.EEXIST)
		}
	}
}

// move moves the interface, which shuts it down and may renumber it, gives it
// its addresses back and sets it up.
func (d *netDevice) move(host, inside *netlink.Conn, pid int) error {
	if err := host.Move(d.index, pid, d.name); err != nil {
		return err
	}
	index, err := inside.Index(d.name)
	if err != nil {
		return fmt.Errorf("find it: %w", err)
	}
	for _, a := range d.addresses {
		if err := inside.Add(index, a); err != nil {
			return fmt.Errorf("give it its address %s back: %w", a, err)
		}
	}
	if err := inside.Up(index); err != nil {
		return fmt.Errorf("set it up: %w", err)
	}
	return nil
}
