package processor

import (
	"context"
	"slices"
	"time"
)

// tendEvery is how often a stopped partition looks whether the issuer misses its answers.
const tendEvery = time.Second

// tend answers for a partition that has stopped and whose state is good: it decides nothing and publishes nothing, and tells Redis
// and the issuer what it knows when they have forgotten. Without it nobody would be admitted anywhere (X10), and nothing issued, until
// the stop is mended. The state's unpublished tail counts: what it accepted was granted, and will be published.
func (w *worker) tend(ctx context.Context) error {
	w.log.Info("the stopped partition still tells Redis what it knows", "rule", "X10", "partition", w.id, "seq", w.store.Last().Seq)
	tick := time.NewTicker(tendEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.owner.Wanted():
			w.rebuildClaims(ctx)
		case <-tick.C:
			w.restoreAnswers(ctx)
		}
	}
}

func (w *worker) restoreAnswers(ctx context.Context) {
	missing, err := w.x.cfg.Stock.Missing(ctx)
	if err != nil || !slices.Contains(missing, w.id) {
		return // the issuer is down: the pool says so
	}
	w.stock.missing, w.now = true, w.x.now()
	w.declareStock(ctx, w.committed.Load())
}
