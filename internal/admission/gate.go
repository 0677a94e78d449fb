package admission

import "context"

// Gate asks Redis on behalf of all workers of a process. Methods are safe for concurrent use.
type Gate struct {
	cfg Config
}

// New makes a gate. Nothing is sent before Run.
func New(cfg Config) (*Gate, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Gate{cfg: cfg}, nil
}

// Run carries asks to Redis and watches the epoch until ctx ends; it returns nil then. Owners
// must be closed, or their calls' contexts ended, before.
func (g *Gate) Run(ctx context.Context) error { <-ctx.Done(); return nil }

// Own says that this process's worker now decides partition p and that src speaks for its state.
// Call it once the partition has settled (X5) and its facts are folded.
func (g *Gate) Own(p int32, src Source) *Owner { return &Owner{gate: g, partition: p, src: src} }

// Limit is the share limit in force.
func (g *Gate) Limit() Limit { return g.cfg.Limit }

// Status says what the gate is waiting for.
func (g *Gate) Status() Status { return Status{} }

// Stats are the counters for metrics.
func (g *Gate) Stats() Stats { return Stats{} }
