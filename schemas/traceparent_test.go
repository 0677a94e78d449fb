package schemas

import (
	"strings"
	"testing"
)

// W3C Trace Context, level 2: section 3.2.2 (format) and 4.3 (a receiver restarts what is invalid).
func TestTraceparent(t *testing.T) {
	t.Parallel()
	later := "cc" + testTrace[2:] + "-what-the-future-holds"
	for text, want := range map[string]string{
		"":                         "",
		testTrace:                  testTrace,
		later:                      later[:55],
		later[:55]:                 later[:55],
		testTrace[:54]:             "",
		testTrace + "-x":           "", // version 00 has four parts
		later[:55] + "x":           "",
		"ff" + testTrace[2:]:       "",
		strings.ToUpper(testTrace): "",
		"00-" + strings.Repeat("0", 32) + testTrace[35:]: "",
		testTrace[:36] + strings.Repeat("0", 16) + "-01": "",
		strings.Replace(testTrace, "-", "_", 1):          "",
		strings.Replace(testTrace, "4bf9", "4bg9", 1):    "",
		strings.Replace(testTrace, "-01", "-0x", 1):      "",
	} {
		if got := string(traceparent([]byte(text))); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
