package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes. As a setting it is a whole number, alone or with a unit: 500KB, 10MiB.
type Size int64

// The sizes that checks and messages speak of.
const (
	KiB Size = 1 << 10
	MiB Size = 1 << 20
)

var errSize = errors.New("not a size such as 10MiB, or a whole number of bytes")

// units are multiplied by; the longer names stand first, because B ends them all.
var units = []struct {
	name  string
	bytes int64
}{
	{"KIB", 1 << 10}, {"MIB", 1 << 20}, {"GIB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// UnmarshalText reads a setting. Case and spaces before the unit do not matter.
func (s *Size) UnmarshalText(text []byte) error {
	number, factor := strings.ToUpper(strings.TrimSpace(string(text))), int64(1)
	for _, unit := range units {
		if rest, ok := strings.CutSuffix(number, unit.name); ok {
			number, factor = strings.TrimSpace(rest), unit.bytes
			break
		}
	}
	count, err := strconv.ParseInt(number, 10, 64)
	if err != nil || count < 0 || count > math.MaxInt64/factor {
		return errSize
	}
	*s = Size(count * factor)
	return nil
}

// String writes the size as a setting.
func (s Size) String() string {
	switch {
	case s >= MiB && s%MiB == 0:
		return fmt.Sprintf("%dMiB", int64(s/MiB))
	case s >= KiB && s%KiB == 0:
		return fmt.Sprintf("%dKiB", int64(s/KiB))
	default:
		return fmt.Sprintf("%dB", int64(s))
	}
}
