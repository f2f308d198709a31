package devices

// simplify returns the shortest list that decides as rules do, last rule
// first, which is the order in which a program has to ask. It drops what later
// rules override, and what says no more than the default, which is to deny.
func simplify(rules []Rule) []Rule {
	kept := make([]Rule, 0, len(rules))
	for i := len(rules) - 1; i >= 0; i-- {
		r := rules[i]
		if !r.matchable() {
			continue
		}
		if r.Access = uncovered(r, kept); r.Access != 0 {
			kept = append(kept, r)
		}
	}
	kept = dropDefault(kept)
	var out []Rule
	for len(kept) > 0 {
		n := 1
		for n < len(kept) && kept[n].Allow == kept[0].Allow {
			n++
		}
		out = append(out, mergeRun(kept[:n])...)
		kept = kept[n:]
	}
	return out
}

// uncovered returns the part of r's access that none of others decides for
// every node that r speaks of.
func uncovered(r Rule, others []Rule) Access {
	access := r.Access
	for _, o := range others {
		if o.covers(r) {
			access &^= o.Access
		}
	}
	return access
}

// dropDefault removes the denials (from the end of the list, where the
// earliest rules are) that no allowance stands behind.
func dropDefault(kept []Rule) []Rule {
	out := make([]Rule, 0, len(kept))
	for i, r := range kept {
		if r.Allow {
			out = append(out, r)
			continue
		}
		for _, earlier := range kept[i+1:] {
			if earlier.Allow && earlier.Access&r.Access != 0 && earlier.meets(r) {
				out = append(out, r)
				break
			}
		}
	}
	return out
}

// mergeRun shortens a run of rules that all allow or all deny: their order
// does not matter, so rules for the same nodes become one, what speaks of both
// types becomes a rule for any type, and what a wider rule says is left to it.
func mergeRun(run []Rule) []Rule {
	var merged []Rule
	for _, r := range run {
		merged = mergeInto(merged, r)
	}
	for i := range merged {
		a := merged[i]
		for j := i + 1; j < len(merged); j++ {
			b := merged[j]
			both := a.Access & b.Access
			if both == 0 || a.Type|b.Type != Block|Char || a.Type == AnyType || b.Type == AnyType ||
				a.Major != b.Major || a.Minor != b.Minor {
				continue
			}
			a.Access &^= both
			merged[i].Access &^= both
			merged[j].Access &^= both
			merged = mergeInto(merged, Rule{Allow: a.Allow, Type: AnyType, Major: a.Major, Minor: a.Minor, Access: both})
		}
	}
	out := make([]Rule, 0, len(merged))
	for i, r := range merged {
		r.Access = uncovered(r, merged[:i]) & uncovered(r, merged[i+1:])
		if r.Access != 0 {
			out = append(out, r)
		}
	}
	return out
}

// mergeInto adds r to rules, to the rule for the same nodes if there is one.
func mergeInto(rules []Rule, r Rule) []Rule {
	for i := range rules {
		if o := &rules[i]; o.Type == r.Type && o.Major == r.Major && o.Minor == r.Minor {
			o.Access |= r.Access
			return rules
		}
	}
	return append(rules, r)
}
