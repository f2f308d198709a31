package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// results is also what --json prints.
type results struct {
	Kernel   string                       `json:"kernel"`
	Rounds   int                          `json:"rounds"`
	Runtimes []runtimeInfo                `json:"runtimes"` // the first is compared with the others
	Cases    []caseResult                 `json:"cases"`
	Failures []string                     `json:"failures,omitempty"`
	Memory   map[string]memory            `json:"memory,omitempty"`
	samples  map[string]map[string][]cost // case, runtime
	order    []string
}

type runtimeInfo struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Version string `json:"version"`
}

type caseResult struct {
	Name string  `json:"name"`
	Time figures `json:"time"`
	CPU  figures `json:"cpu"`
}

// figures are of one kind, by runtime.
type figures struct {
	Times  map[string]times `json:"times"`
	Ratios map[string]ratio `json:"ratios"` // the first runtime's over this one's
}

// times are in microseconds.
type times struct {
	P10     float64   `json:"p10_us"`
	Median  float64   `json:"median_us"`
	P95     float64   `json:"p95_us"`
	Samples []float64 `json:"samples_us"`
}

// ratio is the median of the rounds' ratios with its 95 % confidence interval.
type ratio struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
	P10    float64 `json:"p10"` // of the tenth percentiles
}

func newResults(o options, chosen []group) *results {
	res := &results{Rounds: o.rounds, samples: map[string]map[string][]cost{}}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		res.Kernel = strings.TrimSpace(string(release))
	}
	for _, r := range o.runtimes {
		res.Runtimes = append(res.Runtimes, runtimeInfo{r.name, r.path, r.version})
	}
	for _, g := range chosen {
		for _, name := range g.cases {
			res.order = append(res.order, name)
			res.samples[name] = map[string][]cost{}
		}
	}
	return res
}

func (res *results) add(r runtime, out sample) {
	for name, taken := range out {
		res.samples[name][r.name] = append(res.samples[name][r.name], taken)
	}
}

func (res *results) fail(r runtime, g group, err error) {
	res.Failures = append(res.Failures, fmt.Sprintf("%s: %v", strings.Join(g.cases, ", "), err))
	for _, name := range g.cases {
		delete(res.samples[name], r.name)
	}
}

// summarise turns samples into figures, once.
func (res *results) summarise() {
	if res.Cases != nil {
		return
	}
	for _, name := range res.order {
		res.Cases = append(res.Cases, caseResult{
			Name: name,
			Time: res.figures(name, func(c cost) time.Duration { return c.time }),
			CPU:  res.figures(name, func(c cost) time.Duration { return c.cpu }),
		})
	}
}

func (res *results) figures(name string, of func(cost) time.Duration) figures {
	f := figures{Times: map[string]times{}, Ratios: map[string]ratio{}}
	for runtime, costs := range res.samples[name] {
		f.Times[runtime] = summary(costs, of)
	}
	first := f.Times[res.Runtimes[0].Name]
	for _, r := range res.Runtimes[1:] {
		theirs := f.Times[r.Name]
		if len(theirs.Samples) == len(first.Samples) && len(first.Samples) > 0 {
			one := compare(first.Samples, theirs.Samples)
			one.P10 = first.P10 / theirs.P10
			f.Ratios[r.Name] = one
		}
	}
	return f
}

func summary(costs []cost, of func(cost) time.Duration) times {
	t := times{}
	for _, c := range costs {
		t.Samples = append(t.Samples, float64(of(c).Nanoseconds())/1000)
	}
	sorted := slices.Sorted(slices.Values(t.Samples))
	t.P10, t.Median, t.P95 = quantile(sorted, 0.10), quantile(sorted, 0.50), quantile(sorted, 0.95)
	return t
}

// compare gives the median of the ratios round by round. Its interval is that
// of order statistics, which assumes nothing of how the times are spread.
func compare(ours, theirs []float64) ratio {
	ratios := make([]float64, len(ours))
	for i := range ours {
		ratios[i] = ours[i] / theirs[i]
	}
	slices.Sort(ratios)
	n := float64(len(ratios))
	half := 1.96 * math.Sqrt(n) / 2
	low := max(0, int(math.Floor(n/2-half)))
	high := min(len(ratios)-1, int(math.Ceil(n/2+half)))
	return ratio{Median: quantile(ratios, 0.5), Low: ratios[low], High: ratios[high]}
}

// quantile interpolates between neighbours.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	below := int(at)
	if below+1 >= len(sorted) {
		return sorted[below]
	}
	return sorted[below] + (at-float64(below))*(sorted[below+1]-sorted[below])
}

func (res *results) table(w io.Writer) {
	res.summarise()
	for _, r := range res.Runtimes {
		fmt.Fprintf(w, "%s: %s (%s)\n", r.Name, r.Version, r.Path)
	}
	fmt.Fprintf(w, "Linux %s, %d rounds; p10 / median in µs, then %s's as a part of theirs: median [95 %% interval]\n\n",
		res.Kernel, res.Rounds, res.Runtimes[0].Name)
	res.figureTable(w, "time", func(c caseResult) figures { return c.Time })
	fmt.Fprintln(w)
	res.figureTable(w, "processor time", func(c caseResult) figures { return c.CPU })
	if len(res.Memory) > 0 {
		res.memoryTable(w)
	}
	for _, failure := range slices.Compact(slices.Sorted(slices.Values(res.Failures))) {
		fmt.Fprintln(w, "failed:", failure)
	}
}

func (res *results) figureTable(w io.Writer, title string, of func(caseResult) figures) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, title)
	for i, r := range res.Runtimes {
		fmt.Fprintf(t, "\t%s", r.Name)
		if i > 0 {
			fmt.Fprint(t, "\tratio")
		}
	}
	fmt.Fprintln(t)
	for _, c := range res.Cases {
		f := of(c)
		fmt.Fprint(t, c.Name)
		for i, r := range res.Runtimes {
			if one, measured := f.Times[r.Name]; measured {
				fmt.Fprintf(t, "\t%.0f / %.0f", one.P10, one.Median)
			} else {
				fmt.Fprint(t, "\tfailed")
			}
			if one, compared := f.Ratios[r.Name]; compared {
				fmt.Fprintf(t, "\t%.2f [%.2f-%.2f]", one.Median, one.Low, one.High)
			} else if i > 0 {
				fmt.Fprint(t, "\t-")
			}
		}
		fmt.Fprintln(t)
	}
	t.Flush()
}

func (res *results) memoryTable(w io.Writer) {
	fmt.Fprintln(w, "\nmemory in kB: peak of the command's process; Pss and threads of the waiting init; Pss of the supervisor")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tcreate\tstate\tdelete\tinit Pss\tthreads\tsupervisor Pss\t")
	for _, r := range res.Runtimes {
		m, measured := res.Memory[r.Name]
		if !measured {
			continue
		}
		supervisor := "-"
		if m.SupervisorPss > 0 {
			supervisor = strconv.Itoa(m.SupervisorPss)
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%d\t%s\t\n", r.Name, m.CreatePeak, m.StatePeak, m.DeletePeak, m.InitPss, m.Threads, supervisor)
	}
	t.Flush()
}
