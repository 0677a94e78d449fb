//go:build synctests

package sim

import (
	"fmt"
	"regexp"
	"runtime"
	"strings"
)

var bubbleName = regexp.MustCompile(`^goroutine [^\n]*, (synctest bubble \d+)`)

// bubbleOf is the name of the bubble that a goroutine is in, by its stack.
func bubbleOf(stack string) string {
	if m := bubbleName.FindStringSubmatch(stack); m != nil {
		return m[1]
	}
	return ""
}

// stack is that of whoever calls, or of all goroutines.
func stack(all bool) []byte {
	for n := 1 << 16; ; n *= 4 {
		b := make([]byte, n)
		if got := runtime.Stack(b, all); got < n {
			return b[:got]
		}
	}
}

// remain are the stacks of the goroutines that a bubble has left behind, if that is what e says.
func remain(e any, bubble string) (stacks []string) {
	if bubble == "" || !strings.Contains(fmt.Sprint(e), "blocked goroutines remain") {
		return nil
	}
	for one := range strings.SplitSeq(string(stack(true)), "\n\n") {
		if bubbleOf(one) == bubble {
			stacks = append(stacks, one)
		}
	}
	return stacks
}

// pebbles says that all of these goroutines are Pebble's own. It leaves one behind when it cannot open a damaged directory, or when its disk fails.
// Any other that stays is a finding.
func pebbles(stacks []string) bool {
	for _, one := range stacks {
		_, by, _ := strings.Cut(one, "\ncreated by ")
		if !strings.HasPrefix(by, "github.com/cockroachdb/pebble/") {
			return false
		}
	}
	return true
}
