package stage

import "testing"

func TestIsInit(t *testing.T) {
	for _, c := range []struct {
		argv []string
		want bool
	}{
		{nil, false}, {[]string{Name}, false}, {[]string{Name, "3"}, true}, {[]string{Name, "3", "more"}, true},
		{[]string{"mesoc", "3"}, false}, {[]string{"/bin/" + Name, "3"}, false}, {[]string{Name + " ", "3"}, false},
	} {
		if got := IsInit(c.argv); got != c.want {
			t.Errorf("IsInit(%q) = %v", c.argv, got)
		}
	}
}
