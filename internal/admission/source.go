package admission

// Claim is a claim that a fact established: the chain that User belongs to in Campaign. Offset
// and Event name the accepted event. A state that does not keep them leaves both zero; such a
// claim answers yes to any event of the same chain in the same partition, because only a state
// that went back before that fact can still ask.
type Claim struct {
	Campaign int64
	User     int64
	Chain    int64
	Offset   int64
	Event    EventID
}

// Share is one accepted share.
type Share struct {
	User        int64
	EventTimeMS int64
	Event       EventID
}

// Source is what a partition's state says of itself when Redis has forgotten (X10). The gate
// calls it only inside Admit and Rebuild of the partition's own Owner, in the caller's goroutine;
// so nothing needs a lock. It speaks of folded facts alone: what a probe supposes is no fact. An error
// of yield must be returned as it is.
//
// Shares is called after Claims, and when it returns nil the partition is marked as rebuilt. So it
// must end with an error where the lease was not confirmed less than 3 s ago (X7,
// X11): an owner that lost the partition without knowing may lack facts that its successor wrote.
type Source interface {
	// Claims yields every claim of the partition, cold users included, in any order.
	Claims(yield func(Claim) error) error
	// Shares yields every accepted share with an event time of sinceMS or later, in any order.
	Shares(sinceMS int64, yield func(Share) error) error
}

// Rebuilt is what one rebuild wrote; Epoch is 0 when nothing was wanted or Redis failed.
type Rebuilt struct {
	Epoch     uint64 // its number
	Claims    int64
	Shares    int64
	Conflicts int64
	First     []Conflict // the first 16 of them
}

// Conflict is a user that facts put into two chains: what a Redis that lost an acknowledged
// write did (X10). Chain is the one whose rebuild found it, Other who was rebuilt before; Other's
// claim stays.
type Conflict struct {
	Campaign int64
	User     int64
	Chain    int64
	Other    Holder
}

const conflictsKept = 16
