package store

import (
	"cmp"
	"slices"
)

// most groups deliveries, the newest first, and gives the few largest groups; name gives what a group is called by.
func most(newestFirst []*Delivery, few int, name func(*Delivery) Failing) []Failing {
	groups := make(map[Failing]*Failing)
	for _, d := range newestFirst {
		key := name(d)
		if key == (Failing{}) {
			continue // a test message has no notification
		}
		if groups[key] == nil {
			first := key
			first.LastID, first.ErrorCode = d.ID, d.ErrorCode
			groups[key] = &first
		}
		groups[key].Count++
	}
	list := make([]Failing, 0, len(groups))
	for _, g := range groups {
		list = append(list, *g)
	}
	slices.SortFunc(list, func(a, b Failing) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(b.LastID, a.LastID))
	})
	return list[:min(few, len(list))]
}
