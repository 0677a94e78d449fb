package replay

import (
	"context"
	"encoding/hex"
	"fmt"
	"time"

	"hongbao/schemas"
)

const topicFacts = schemas.TopicFacts

// comparePause is between two questions about where the live store or the fact log stands.
const comparePause = 200 * time.Millisecond

// compare keeps R4. The live store says at which seq its nodes stand and what they hash to; the shadow is folded on to exactly
// that step, waiting for it where the live store is ahead of what is committed, and asking again where it lies behind.
func (j *job) compare(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, j.e.cfg.Patience, fmt.Errorf("the live store and the committed facts did not meet within %s", j.e.cfg.Patience))
	defer cancel()
	for {
		live, err := j.e.cfg.Live.StateHash(ctx, j.log.partition)
		if err != nil {
			return err
		}
		if live.Seq >= j.folder.Seq() {
			return j.compareAt(ctx, live)
		}
		if err := pause(ctx, fmt.Sprintf("the live store stands at seq %d, the shadow at %d", live.Seq, j.folder.Seq())); err != nil {
			return err
		}
	}
}

func (j *job) compareAt(ctx context.Context, live StateHash) error {
	j.result.LiveHash = hex.EncodeToString(live.State[:])
	if live.Seq > j.folder.Seq() {
		if err := j.follow(ctx, &live); err != nil || j.result.Compared != "" {
			return err
		}
	}
	if j.folder.Last().Hash != live.Hash {
		j.result.Compared = HistoryDiffers
		return nil
	}
	state, err := j.state.Hash()
	if err != nil {
		return err
	}
	j.result.StateHash = hex.EncodeToString(state[:])
	j.result.Compared = Same
	if state != live.State {
		j.result.Compared = StateDiffers
	}
	return nil
}

// follow folds on to where the live store stands, once the facts are committed so far.
func (j *job) follow(ctx context.Context, live *StateHash) error {
	goal, err := j.await(ctx, live.Seq)
	if err != nil {
		return err
	}
	if goal.seq != live.Seq || goal.Hash != live.Hash {
		j.result.Compared = HistoryDiffers
		return nil
	}
	from := j.from
	if j.folder.Seq() > 0 {
		if j.from, err = j.log.at(ctx, j.folder.Seq()); err != nil {
			return err
		}
	}
	err = j.foldTo(ctx, goal)
	j.from = from // facts are counted from where the replay began
	return err
}

// await is the step that ends with a seq or, when none does, the one before it, once the committed log reaches so far.
func (j *job) await(ctx context.Context, seq int64) (step, error) {
	for {
		if err := j.log.look(ctx); err != nil {
			return step{}, err
		}
		last, err := j.log.last(ctx)
		if err != nil {
			return step{}, err
		}
		if last.seq >= seq {
			return j.log.lastUntil(ctx, func(s *step) bool { return s.seq > seq })
		}
		if err := pause(ctx, fmt.Sprintf("the live store stands at seq %d, committed facts at %d", seq, last.seq)); err != nil {
			return step{}, err
		}
	}
}

// pause waits a moment; when ctx ends it says what was waited for.
func pause(ctx context.Context, what string) error {
	t := time.NewTimer(comparePause)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %s", context.Cause(ctx), what)
	case <-t.C:
		return nil
	}
}
