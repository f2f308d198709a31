package plan

import (
	"math/big"
	"testing"
)

const most = 1<<63 - 2 // the largest amount that is a limit

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]Bytes{
		"1B": 1, "1KB": 1 << 10, "64MB": 64 << 20, "10GB": 10 << 30, "2TB": 2 << 40,
		"1KiB": 1 << 10, "512MiB": 512 << 20, "3GiB": 3 << 30, "1TiB": 1 << 40,
		"1.5GB": 3 << 29, ".5MB": 1 << 19, "0.001MB": 1048, "9223372036854775806B": most,
		"8388607TiB": 8388607 << 40, "8388607.5TB": 16777215 << 39, "007MB": 7 << 20,
	} {
		if got, err := ParseBytes(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                            "must be a size like 512MB or 10GiB",
		"MB":                          "must be a size like 512MB or 10GiB",
		"64":                          "must be a size like 512MB or 10GiB",
		"64M":                         "must be a size like 512MB or 10GiB",
		"64mb":                        "must be a size like 512MB or 10GiB",
		"64 MB":                       "must be a size like 512MB or 10GiB",
		"-1MB":                        "must be a size like 512MB or 10GiB",
		"+1MB":                        "must be a size like 512MB or 10GiB",
		"1e3MB":                       "must be a size like 512MB or 10GiB",
		"0x1MB":                       "must be a size like 512MB or 10GiB",
		"1_0MB":                       "must be a size like 512MB or 10GiB",
		"infMB":                       "must be a size like 512MB or 10GiB",
		"NaNMB":                       "must be a size like 512MB or 10GiB",
		"1.2.3MB":                     "must be a size like 512MB or 10GiB",
		".MB":                         "must be a size like 512MB or 10GiB",
		"0MB":                         "must be more than nothing",
		"0.0MB":                       "must be more than nothing",
		"0.1B":                        "must be more than nothing",
		"8388608TiB":                  "must be less than 8388608TiB",
		"9223372036854775807B":        "must be less than 8388608TiB",
		"18446744073709551616B":       "must be less than 8388608TiB",
		"99999999999999999999999.5TB": "must be less than 8388608TiB",
	} {
		if got, err := ParseBytes(text); err == nil || err.Error() != want {
			t.Errorf("%s: %d, %v, want %s", text, got, err, want)
		}
	}
}

func TestParseCPUs(t *testing.T) {
	for text, want := range map[string]CPUs{
		"1": 1000, "0.5": 500, "0.001": 1, "0.0005001": 1, "2.9996": 3000, "1e3": 1000000, "0.29": 290,
		"1e300": most, "1e999": most, "9223372036854775.807": most,
	} {
		if got, err := ParseCPUs(text); err != nil || got != want {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":       "must be a number of processors",
		"x":      "must be a number of processors",
		"NaN":    "must be a number of processors",
		"-1":     "must not be negative",
		"-1e999": "must not be negative",
		"0":      "must be at least 0.001",
		"-0":     "must be at least 0.001",
		"0.0004": "must be at least 0.001",
	} {
		if got, err := ParseCPUs(text); err == nil || err.Error() != want {
			t.Errorf("%s: %d, %v, want %s", text, got, err, want)
		}
	}
}

// cpus are resources of processors: a request and a limit.
func cpus(request, limit CPUs) Resources {
	return Resources{Requests: Amounts{CPUs: request}, Limits: Amounts{CPUs: limit}}
}

func TestPlus(t *testing.T) {
	const inf = UnlimitedCPUs
	for _, test := range []struct{ a, b, want Resources }{
		{cpus(0, 0), cpus(0, 0), cpus(0, 0)},
		{cpus(500, 0), cpus(1000, 0), cpus(1500, 0)},
		{cpus(500, 0), cpus(1000, 2000), cpus(1500, 2500)},
		{cpus(500, 600), cpus(1000, 2000), cpus(1500, 2600)},
		{cpus(500, inf), cpus(1000, 2000), cpus(1500, inf)},
		{cpus(500, inf), cpus(1000, 0), cpus(1500, inf)},
		{cpus(0, 0), cpus(1000, 2000), cpus(1000, 2000)},
		{cpus(most, most), cpus(1, 1), cpus(most, most)},
		{cpus(most, 0), cpus(most, inf), cpus(most, inf)},
	} {
		if got := test.a.Plus(test.b); got != test.want {
			t.Errorf("%+v and %+v: %+v, want %+v", test.a, test.b, got, test.want)
		}
		if got := test.b.Plus(test.a); got != test.want {
			t.Errorf("%+v and %+v: %+v, want %+v", test.b, test.a, got, test.want)
		}
	}
	// Memory goes by the same rule.
	a := Resources{Requests: Amounts{Memory: MiB}, Limits: Amounts{CPUs: 5}}
	b := Resources{Requests: Amounts{Memory: 2 * MiB}, Limits: Amounts{Memory: 3 * MiB}}
	want := Resources{Requests: Amounts{Memory: 3 * MiB}, Limits: Amounts{CPUs: 5, Memory: 4 * MiB}}
	if got := a.Plus(b); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// FuzzPlus adds without a bound on size, and wants the same but for the clamp;
// and that it does not matter in which order containers come.
func FuzzPlus(f *testing.F) {
	f.Add(int64(1), int64(0), int64(2), int64(3), int64(4), int64(0))
	f.Add(int64(most), int64(most+1), int64(1), int64(0), int64(most), int64(1))
	f.Fuzz(func(t *testing.T, r1, l1, r2, l2, r3, l3 int64) {
		for _, n := range []int64{r1, l1, r2, l2, r3, l3} {
			if n < 0 {
				return
			}
		}
		if r1 > most || r2 > most || r3 > most {
			return // requests are finite
		}
		a, b, c := cpus(CPUs(r1), CPUs(l1)), cpus(CPUs(r2), CPUs(l2)), cpus(CPUs(r3), CPUs(l3))
		if x, y := a.Plus(b).Plus(c), a.Plus(b.Plus(c)); x != y {
			t.Errorf("(%+v + %+v) + %+v is %+v, and the other way round %+v", a, b, c, x, y)
		}
		exact := new(big.Int).Add(big.NewInt(r1), big.NewInt(r2))
		if limit := big.NewInt(most); exact.Cmp(limit) > 0 {
			exact = limit
		}
		if got := a.Plus(b).Requests.CPUs; exact.Cmp(big.NewInt(int64(got))) != 0 {
			t.Errorf("%d + %d is %d, want %v", r1, r2, got, exact)
		}
	})
}
