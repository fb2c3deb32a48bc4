package rule

import (
	"slices"
	"testing"
)

func TestEveryActionOnARowSetsOffItsTriggers(t *testing.T) {
	t.Parallel()
	for action, want := range map[Action][]Trigger{
		Create: {OnNew}, Update: {OnUpdate, OnValueChange}, Delete: {OnDelete}, Test: nil, Retry: nil,
	} {
		if got := TriggersFor(action); !slices.Equal(got, want) {
			t.Errorf("%s sets off %v, want %v", action, got, want)
		}
	}
}
