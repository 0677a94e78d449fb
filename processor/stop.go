package processor

import (
	"errors"
	"fmt"
)

// Stop says why a partition must stop (X5d, X6, X8). It stops alone: its neighbours go on.
type Stop struct {
	Partition int32
	Rule      string // "X5d"
	Expected  string
	Found     string
	Remedy    string // what the operator can do
}

func (s *Stop) Error() string {
	return fmt.Sprintf("partition %d stopped by rule %s: expected %s, found %s; %s", s.Partition, s.Rule, s.Expected, s.Found, s.Remedy)
}

// errGone ends work on a partition that is no longer ours.
var errGone = errors.New("the partition is no longer owned")

// errLane ends a lane's client: its outcome is unknown or it was fenced; start again at X5.
type laneError struct {
	during string
	fenced bool
	err    error
}

func (e *laneError) Error() string { return "lane: " + e.during + ": " + e.err.Error() }
func (e *laneError) Unwrap() error { return e.err }
