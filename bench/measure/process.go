package measure

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// ticks a second of /proc's processor times: the kernel shows user space 100 on every architecture that Go knows.
const ticks = 100

// process is what /proc says of one.
type process struct {
	pid, parent int
	// cpu is its own time and that of its children that have ended.
	cpu time.Duration
	// rss is its memory in bytes.
	rss int64
}

// trees reads the processes that descend from the roots, the roots included.
func trees(roots ...int) (found []process) {
	all := map[int]process{}
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		if p, ok := read(file); ok {
			all[p.pid] = p
		}
	}
	inTree := map[int]bool{}
	for _, root := range roots {
		inTree[root] = true
	}
	for grown := true; grown; {
		grown = false
		for pid, p := range all {
			if !inTree[pid] && inTree[p.parent] {
				inTree[pid], grown = true, true
			}
		}
	}
	for pid := range inTree {
		if p, ok := all[pid]; ok {
			found = append(found, p)
		}
	}
	return found
}

// read parses /proc/PID/stat; see proc(5). The name in parentheses may hold anything.
func read(file string) (p process, ok bool) {
	content, err := os.ReadFile(file)
	if err != nil {
		return p, false
	}
	text := string(content)
	end := strings.LastIndexByte(text, ')')
	fields := strings.Fields(text[end+1:])
	if end < 0 || len(fields) < 22 {
		return p, false
	}
	number := func(i int) int64 { n, _ := strconv.ParseInt(fields[i-3], 10, 64); return n } // proc(5) counts from 1
	p.pid, _ = strconv.Atoi(filepath.Base(filepath.Dir(file)))
	p.parent = int(number(4))
	p.cpu = time.Duration(number(14)+number(15)+number(16)+number(17)) * time.Second / ticks
	p.rss = number(24) * int64(os.Getpagesize())
	return p, true
}

func cpu(roots ...int) (sum time.Duration) {
	for _, p := range trees(roots...) {
		sum += p.cpu
	}
	return sum
}

func memory(root int) (sum int64) {
	for _, p := range trees(root) {
		sum += p.rss
	}
	return sum
}
