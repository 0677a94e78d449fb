package main

import (
	"os"
	"regexp"
	"strconv"
)

var peakLine = regexp.MustCompile(`(?m)^VmHWM:\s+(\d+) kB$`)

// peakRSS is the most memory that this process has had in use, in bytes; 0 where the system does not tell (it is
// read from /proc, which Linux has).
func peakRSS() int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	found := peakLine.FindSubmatch(text)
	if found == nil {
		return 0
	}
	kb, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
