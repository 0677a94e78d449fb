package admin

import (
	"context"
	"fmt"
)

// Status is what an instance says of itself. JSON names are a contract.
type Status struct {
	Instance string  `json:"instance"`
	Group    string  `json:"group"`
	Address  string  `json:"address"` // of this API
	Version  string  `json:"version"`
	PID      int     `json:"pid"`
	Data     string  `json:"data"` // data directory, absolute
	Owned    []int32 `json:"owned"`
	Working  []int32 `json:"working"`
	Stopped  []Stop  `json:"stopped"`
	Redis    string  `json:"redis"` // a sentence
}

// Stop says why a partition has stopped.
type Stop struct {
	Partition int32  `json:"partition"`
	Rule      string `json:"rule"`
	Expected  string `json:"expected"`
	Found     string `json:"found"`
	Do        string `json:"do"`
}

// States of a partition.
const (
	Working   = "working"
	Taking    = "taking over" // or restoring
	Stopped   = "stopped"
	Elsewhere = "elsewhere"
	Nobody    = "nobody" // has no owner
)

// Partition is where a partition stands. Seqs and hashes are given by its owner alone.
type Partition struct {
	Partition int32  `json:"partition"`
	State     string `json:"state"`
	Owner     string `json:"owner,omitempty"`    // instance, by the group's word
	Address   string `json:"address,omitempty"`  // of the owner's API, on its machine's loopback
	Seq       int64  `json:"seq"`                // of the last fact committed in Kafka
	Hash      string `json:"hash,omitempty"`     // running hash there
	StoredSeq int64  `json:"stored_seq"`         // of the last step in the store, which may be ahead
	NodesSeq  int64  `json:"nodes_seq"`          // at which a snapshot shows the state
	Sentence  string `json:"sentence,omitempty"` // why it does not work
}

// StateHash is a partition's state at one step.
type StateHash struct {
	Partition int32  `json:"partition"`
	Seq       int64  `json:"seq"`
	Hash      string `json:"hash"`       // running hash of the facts up to seq
	StateHash string `json:"state_hash"` // over the state's content
}

// Done answers a command.
type Done struct {
	Done string `json:"done"` // what was done, in words
}

// Instance is the instance that is served. Its methods are called from several goroutines at once.
type Instance interface {
	Status() Status
	Partitions(ctx context.Context) ([]Partition, error)
	StateHash(p int32) (StateHash, error)
	// Swap returns once p works again, or says why not.
	Swap(ctx context.Context, p int32) error
}

// Refusal is every answer that is not what was asked for (A2).
type Refusal struct {
	Sentence string `json:"error"`
	// Owner and Address name who owns the partition that the request was about.
	Owner   string `json:"owner,omitempty"`
	Address string `json:"address,omitempty"`

	// Code is the HTTP status: 403 refused by A1, 404 no such partition, 409 not now: ask again, 421 owned elsewhere, 422 there
	// is nothing to swap in, 500 all else.
	Code int `json:"-"`
}

// Error is part of error.
func (r *Refusal) Error() string {
	if r.Owner == "" {
		return r.Sentence
	}
	return fmt.Sprintf("%s: it is owned by instance %s, whose admin address is %s", r.Sentence, r.Owner, r.Address)
}
