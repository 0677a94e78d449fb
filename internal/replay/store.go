package replay

import (
	"fmt"

	"hongbao/eventstore"
	"hongbao/projections"
	"hongbao/schemas"
)

// Writer lets projections write into a batch.
type Writer struct{ Batch *eventstore.Batch }

// Set is part of projections.Writer.
func (w Writer) Set(space projections.Space, key, value []byte) { w.Batch.Set(byte(space), key, value) }

// Delete is part of projections.Writer.
func (w Writer) Delete(space projections.Space, key []byte) { w.Batch.Delete(byte(space), key) }

// source is what a partition and a snapshot of one have in common.
type source interface {
	Get(space byte, key, dst []byte) ([]byte, bool, error)
	Scan(space byte, prefix []byte, fn func(key, value []byte) error) error
}

// reader lets projections read a source.
type reader struct{ source }

// Get is part of projections.Store.
func (r reader) Get(space projections.Space, key, dst []byte) ([]byte, bool, error) {
	return r.source.Get(byte(space), key, dst)
}

// Scan is part of projections.Store.
func (r reader) Scan(space projections.Space, prefix []byte, fn func(key, value []byte) error) error {
	return r.source.Scan(byte(space), prefix, fn)
}

// StateHash is a state at one step: where it stands, by seq and running hash, and the hash of its content (R4).
type StateHash struct {
	Seq   int64
	Hash  schemas.Hash // running hash of the facts up to Seq
	State [16]byte     // projections.State.Hash
}

// HashOf reads the whole state that a snapshot shows, which is that of the last write of nodes, at most about a second old.
// It takes as much memory as the partition's hot state.
func HashOf(snap *eventstore.Snapshot) (h StateHash, err error) {
	state, err := projections.Open(reader{snap}, projections.Config{})
	if err != nil {
		return h, err
	}
	h.Seq = state.Seq()
	hash, ok, err := snap.BoundaryHash(h.Seq)
	if err != nil {
		return h, err
	}
	if h.Seq != snap.NodesSeq() || !ok {
		return h, fmt.Errorf("the nodes stand at seq %d, their mark says %d, and a step that ends there is stored: %t (X2)", h.Seq, snap.NodesSeq(), ok)
	}
	h.Hash = hash
	h.State, err = state.Hash()
	return h, err
}
