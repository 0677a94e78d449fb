package replay

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"hongbao/eventstore"
	"hongbao/internal/admission"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// WhatIfConfig is what judging events again needs.
type WhatIfConfig struct {
	Log      *topiclog.Client
	Scratch  *eventstore.Store // empty, and of no use afterwards
	Campaign *schemas.Campaign // in place of what was in force, from the first event on
	Keys     *schemas.CodeKeys // those of `run`
	Limit    admission.Limit   // those of `run`; zero fields take its defaults
	// KeepPrefix takes what was decided on events that retention has removed as it was decided; without it they are a refusal.
	KeepPrefix bool
}

// WhatIf judges again what invite.events held below the committed positions, all partitions in the order in which the events were
// appended, and compares payouts with those in the facts (R6). Use it once.
type WhatIf struct {
	cfg      WhatIfConfig
	feeds    []*feed
	gate     model
	ledger   ledger
	report   WhatIfReport
	decoder  schemas.Decoder
	verifier *schemas.CodeVerifier
	event    schemas.Event
	again    schemas.Fact // the verdict of now

	all, done atomic.Int64
}

// NewWhatIf prepares a run.
func NewWhatIf(cfg WhatIfConfig) *WhatIf {
	if cfg.Limit.Count == 0 {
		cfg.Limit.Count = 5
	}
	if cfg.Limit.WindowMS == 0 {
		cfg.Limit.WindowMS = 60 * 60 * 1000
	}
	return &WhatIf{cfg: cfg, gate: newModel(cfg.Limit), ledger: newLedger(), verifier: schemas.NewCodeVerifier(cfg.Keys), report: newWhatIfReport(cfg.Campaign)}
}

// Progress says how many offsets of invite.events are passed, of how many. It may be called from any goroutine.
func (w *WhatIf) Progress() (done, all int64) { return w.done.Load(), w.all.Load() }

// Run judges everything and returns the report. ctx ends it.
func (w *WhatIf) Run(ctx context.Context) (_ *WhatIfReport, err error) {
	defer func() {
		for _, f := range w.feeds {
			err = errors.Join(err, f.close())
		}
	}()
	if err := w.open(ctx); err != nil {
		return nil, err
	}
	for {
		f := w.earliest()
		if f == nil {
			break
		}
		if err := w.take(f); err != nil {
			return nil, fmt.Errorf("partition %d: %w", f.partition, err)
		}
		before := f.passed
		if err := f.next(); err != nil {
			return nil, fmt.Errorf("partition %d: %w", f.partition, err)
		}
		w.done.Add(f.passed - before)
	}
	w.report.finish(&w.ledger, w.feeds)
	return &w.report, ctx.Err()
}

// open makes a feed for each partition that has facts and loads its first verdict.
func (w *WhatIf) open(ctx context.Context) error {
	starts, err := w.cfg.Log.Starts(ctx, schemas.TopicFacts, schemas.TopicEvents)
	if err != nil {
		return err
	}
	for p := range starts[schemas.TopicFacts] {
		log := factLog{log: w.cfg.Log, partition: int32(p)}
		if err := log.look(ctx); err != nil {
			return err
		}
		last, err := log.last(ctx)
		if err != nil {
			return err
		}
		if last.seq == 0 {
			continue
		}
		f, err := w.openFeed(ctx, &log, starts[schemas.TopicEvents][p], last)
		if f != nil {
			w.feeds = append(w.feeds, f)
		}
		if err == nil {
			err = f.next()
		}
		if err != nil {
			return fmt.Errorf("partition %d: %w", p, err)
		}
	}
	return nil
}

// earliest is the feed whose event was appended first; nil when all are at their end. Partitions break ties.
func (w *WhatIf) earliest() *feed {
	var first *feed
	for _, f := range w.feeds {
		if !f.ended && (first == nil || f.timeMS < first.timeMS) {
			first = f
		}
	}
	return first
}

// take judges the event at hand again.
func (w *WhatIf) take(f *feed) error {
	w.gate.at(f.timeMS)
	was := &f.fact.Verdict
	if was.Campaign != w.cfg.Campaign.ID {
		w.report.OtherCampaigns++
		w.other(f)
		return nil
	}
	w.report.Events++
	w.report.Before.count(&f.fact)
	if err := w.paidBefore(f); err != nil {
		return err
	}
	if f.record == nil {
		return w.keep(f)
	}
	if err := w.decode(f); err != nil {
		return err
	}
	return w.judge(f)
}

// other takes from an event of another campaign what the partition's campaigns share: the share limit, and the watermark, by which a share is
// the same event (R6).
func (w *WhatIf) other(f *feed) {
	was := &f.fact.Verdict
	if f.fact.Kind != schemas.FactAccepted {
		return
	}
	f.state.Watermark(was.TimeMS)
	if was.Event == schemas.EventShare {
		w.gate.share(was.User, was.TimeMS)
	}
}

// decode reads the event of the verdict at hand.
func (w *WhatIf) decode(f *feed) error {
	w.decoder.Reset()
	for i := range f.record.Headers {
		w.decoder.Header(f.record.Headers[i].Key, f.record.Headers[i].Value)
	}
	e := &w.event
	if err := w.decoder.Event(f.record.Value, e); err != nil {
		return fmt.Errorf("the event at offset %d has a verdict, seq %d, and does not decode: %w", f.record.Offset, f.fact.Seq, err)
	}
	e.Offset = f.record.Offset
	w.verifier.VerifyEvent(e)
	coded := e.Kind == schemas.EventShare || e.Kind == schemas.EventJoin
	if coded && f.fact.Kind == schemas.FactAccepted && e.Code != schemas.CodeGood {
		return fmt.Errorf("the event at offset %d was accepted, and its code %.20q does not verify: give the keys that `hongbao run` has (--code-keys)", e.Offset, e.CodeText)
	}
	return nil
}

func (w *WhatIf) judge(f *feed) error {
	ask := f.state.Probe(&w.event)
	f.state.EndProbe()
	v := &w.again.Verdict
	outcome := f.state.Decide(&w.event, w.gate.answer(ask, &f.fact, &w.event), v)
	kind := outcome.Kind()
	if kind == 0 {
		if err := f.state.Err(); err != nil {
			return err
		}
		return fmt.Errorf("the event at offset %d has a verdict, seq %d, and gets none now (outcome %d, reason %s)", w.event.Offset, f.fact.Seq, outcome, v.Reason)
	}
	w.again.Kind, w.again.Rare = kind, nil
	w.report.After.count(&w.again)
	if kind == schemas.FactAccepted {
		w.gate.granted(ask, &w.event)
		for i := range v.Rewards {
			w.ledger.after(&v.Rewards[i])
		}
	}
	if (kind == schemas.FactAccepted) != (f.fact.Kind == schemas.FactAccepted) {
		w.report.Changed++
		w.gate.touch(w.event.User)
	}
	return f.fold(&w.again)
}

// keep takes a verdict as it was: its event is gone.
func (w *WhatIf) keep(f *feed) error {
	w.report.Kept++
	w.report.After.count(&f.fact)
	v := &f.fact.Verdict
	if f.fact.Kind == schemas.FactAccepted {
		w.gate.kept(v)
		for i := range v.Rewards {
			w.ledger.keep(&v.Rewards[i], f.rules)
		}
	}
	return f.fold(&f.fact)
}

// paidBefore books what the recorded verdict granted, at the value that its coupon had then.
func (w *WhatIf) paidBefore(f *feed) error {
	if f.fact.Kind != schemas.FactAccepted {
		return nil
	}
	for i := range f.fact.Verdict.Rewards {
		if !w.ledger.before(&f.fact.Verdict.Rewards[i], f.rules) {
			return fmt.Errorf("the fact with seq %d grants coupon %q, which no campaign version in force names", f.fact.Seq, f.fact.Verdict.Rewards[i].Coupon)
		}
	}
	return nil
}
