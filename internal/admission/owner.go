package admission

import "context"

// Owner is one partition's door to the gate. It belongs to the partition's worker: no two of its
// methods may run at once (Wanted's channel may be waited on anywhere).
type Owner struct {
	gate      *Gate
	partition int32
	src       Source
}

// Admit fills answers[i] with the answer to asks[i], judged in that order. It waits as long as
// Redis is down, or emptied and not yet rebuilt by every partition's owner; its own partition it
// rebuilds itself, in this goroutine. Only ctx ends it with an error, and then no answer may be
// used. Asking again is always right: the same event gets the first answer.
//
// Every answer of an earlier Admit must be folded, or thrown away, before the next call: what a
// rebuild inside it writes is the folded state.
func (o *Owner) Admit(ctx context.Context, asks []Ask, answers []Answer) error { return nil }

// Wanted is ready when the partition's claims should be written again; then call Rebuild. A
// worker that is busy need not look: Admit does the same by itself.
func (o *Owner) Wanted() <-chan struct{} { return nil }

// Rebuild writes the partition's claims and recent shares into Redis if the present epoch wants
// them, and marks the partition as rebuilt. The same rule holds as for Admit: no answer of an earlier
// Admit may be waiting to be folded.
func (o *Owner) Rebuild(ctx context.Context) (Rebuilt, error) { return Rebuilt{}, nil }

// Release gives back what refused events were granted. It waits for Redis like Admit.
func (o *Owner) Release(ctx context.Context, releases []Release) error { return nil }

// Close ends the ownership. Nothing in Redis changes: the next owner goes on in the same epoch.
func (o *Owner) Close() {}
