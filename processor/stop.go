package processor

import (
	"errors"
	"fmt"
)

// Stop says why a partition must stop: Rule is X4, X5d to X5f, X6, X8 or X9. It stops alone: its neighbours go on.
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

// sound says that the partition's own state is good: what stopped it lies in its inputs or outputs. After the other rules
// facts are missing or doubtful, and what they would have to say is not known.
func (s *Stop) sound() bool { return s.Rule == "X5f" || s.Rule == "X6" || s.Rule == "X9" }

// errGone ends work on a partition that is no longer ours.
var errGone = errors.New("the partition is no longer owned")

// laneError ends a lane's client: its outcome is unknown or it was fenced; start again at X5.
type laneError struct {
	during string
	fenced bool
	err    error
}

func (e *laneError) Error() string { return "lane: " + e.during + ": " + e.err.Error() }
func (e *laneError) Unwrap() error { return e.err }

// directoryError is the system's refusal to read a partition's files, before anything of a takeover is queued.
type directoryError struct{ err error }

func (e *directoryError) Error() string { return e.err.Error() }
func (e *directoryError) Unwrap() error { return e.err }
