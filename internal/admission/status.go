package admission

import "time"

// State says in one word what the gate does.
type State uint8

// A gate is Starting until Redis has answered once, then Rebuilding or Ready; Down when Redis does
// not answer; Refused when it answers what no waiting mends.
const (
	Starting State = iota
	Down
	Rebuilding
	Ready
	Refused
)

// Status is the gate's state for health pages.
type Status struct {
	State    State
	Since    time.Time
	Epoch    uint64  // number of the epoch, 0 when none is known
	Missing  []int32 // partitions that no owner has rebuilt in this epoch
	Sentence string  // for people: "redis down since ...", "waiting for partitions 3, 7 ..."
}

// Stats are counters since the gate was made.
type Stats struct {
	Trips         int64 // round trips that carried asks
	Asks          int64
	ClaimsYes     int64
	ClaimsNo      int64
	SharesYes     int64
	SharesNo      int64
	Failures      int64 // round trips that Redis did not answer
	Epochs        int64 // epochs seen by this gate
	RebuiltClaims int64
	RebuiltShares int64
	Conflicts     int64
	Released      int64
	Voided        int64
}
