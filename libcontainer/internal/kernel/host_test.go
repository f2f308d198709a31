package kernel

import (
	"strconv"
	"strings"
	"testing"
)

func TestHasProjectQuotas(t *testing.T) {
	for table, want := range map[string]bool{
		"": false,
		"/dev/sda1 / ext4 rw,relatime 0 0\n/dev/sdb /srv xfs rw,inode64,prjquota 0 0\n": true,
		"/dev/sda1 / ext4 rw,prjquota 0 0\n":                                            true,
		"/dev/sdb /srv xfs rw,pquota 0 0":                                               true,
		"/dev/sdb /prjquota xfs rw,noquota 0 0\n":                                       false,
		"/dev/sdb /srv btrfs rw,prjquota 0 0\n":                                         false,
		"/dev/sdb /srv xfs":                                                             false,
	} {
		if got := hasProjectQuotas(table); got != want {
			t.Errorf("%q: %v", table, got)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"6.1.0-18-amd64", "7.0-rc1", "5.12", "6.", ".1", "6.18.44-fc", "99999999999999999999.1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, release string) {
		v, err := parseVersion(release)
		if err != nil {
			if v != (Version{}) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%q: %v and %v", release, v, err)
			}
			return
		}
		major, rest, ok := strings.Cut(release, ".")
		if n, _ := strconv.Atoi(major); !ok || n != v.Major || v.Minor < 0 || rest[0] < '0' || rest[0] > '9' {
			t.Errorf("%q is %v", release, v)
		}
	})
}
