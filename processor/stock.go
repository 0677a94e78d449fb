package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"hongbao/fsm"
	"hongbao/internal/crashpoint"
	"hongbao/projections"
	pb "hongbao/schemas/invitepb"
)

// stockPatience bounds what a worker waits for the issuer's bookkeeping before it goes on with its inputs.
const stockPatience = 2 * time.Second

// stockSilence is from one line of a failing partition to the next: all of them fail together, every second, while Redis is down.
const stockSilence = 30 * time.Second

// stockDuty is what a worker owes the issuer: stock of campaigns and top-ups, each taking effect once
// however often it is said, and the answers that facts know, where the issuer's memory has lost them (X10).
type stockDuty struct {
	seq     int64 // of the fact that changed a campaign; 0: nothing to say
	missing bool
	retryAt time.Time
	toldAt  time.Time // when a failure was logged
}

func (d *stockDuty) changed(seq int64) { d.seq = max(d.seq, seq, 1) }

// declareStock pays the duty once the facts that it rests on are committed.
func (w *worker) declareStock(ctx context.Context, committed int64) {
	d := &w.stock
	due := d.missing || (d.seq > 0 && d.seq <= max(committed, 1))
	if !due || w.now.Before(d.retryAt) {
		return
	}
	if err := w.sayStock(ctx); err != nil {
		d.retryAt = time.Now().Add(time.Second) // the call itself may have taken that long
		if w.now.Sub(d.toldAt) >= stockSilence {
			d.toldAt = w.now
			w.log.Warn("stock is not declared yet", "rule", "X10", "partition", w.id, "error", err)
		}
		return
	}
	*d = stockDuty{}
}

func (w *worker) sayStock(ctx context.Context) error {
	crashpoint.Hit("stock.declare.before")
	err := w.declareCampaigns(ctx)
	crashpoint.Hit("stock.declare.after")
	if err != nil || !w.stock.missing {
		return err
	}
	crashpoint.Hit("stock.restore.before")
	// As long as it takes: until every partition has said what it knows, nothing is issued anywhere.
	r, err := w.x.cfg.Stock.Rebuild(ctx, w.id, w.finalAnswers)
	crashpoint.Hit("stock.restore.after")
	if err == nil {
		w.log.Info("issuer's answers restored from facts", "partition", w.id, "answers", r.Answers, "restored", r.Restored, "contradicted", r.Contradicted)
	}
	return err
}

// declareCampaigns goes on after a campaign that the issuer will not take: the others are owed all the same.
func (w *worker) declareCampaigns(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stockPatience)
	defer cancel()
	var all []error
	w.state.EachCampaign(func(c *projections.CampaignState) { all = append(all, w.declareCampaign(ctx, c)) })
	return errors.Join(all...)
}

func (w *worker) declareCampaign(ctx context.Context, c *projections.CampaignState) error {
	if err := w.x.cfg.Stock.Declare(ctx, c.Rules); err != nil {
		return fmt.Errorf("declare campaign %d: %w", c.Rules.ID, err)
	}
	for _, t := range c.TopUps {
		if err := w.x.cfg.Stock.TopUp(ctx, fsm.TopUp{
			Campaign: c.Rules.ID, Number: t.Number, Kind: t.Coupon, Pieces: t.StockDelta,
			Currency: t.BudgetCurrency, BudgetMinor: t.BudgetDeltaMinor,
		}); err != nil {
			return err
		}
	}
	return nil
}

// finalAnswers yields what the facts say of coupons whose present round has a final answer.
func (w *worker) finalAnswers(yield func(fsm.Remembered) error) error {
	return w.state.EachCoupon(func(c *projections.Coupon) error {
		a := finalAnswer(c)
		if a == fsm.NoAnswer {
			return nil
		}
		return yield(fsm.Remembered{
			Key:    fsm.Key{Campaign: c.Campaign, ID: c.ID, Round: c.Round},
			Answer: a, Kind: c.Kind, ValueMinor: c.ValueMinor, Currency: c.Currency,
		})
	})
}

func finalAnswer(c *projections.Coupon) fsm.Answer {
	switch {
	case c.State == pb.CouponState_COUPON_STATE_COMPLETED:
		return fsm.Done
	case c.Reason == pb.Reason_REASON_OUT_OF_STOCK && c.State == pb.CouponState_COUPON_STATE_FAILED:
		return fsm.OutOfStock
	case c.Reason == pb.Reason_REASON_OUT_OF_BUDGET && c.State == pb.CouponState_COUPON_STATE_FAILED:
		return fsm.OutOfBudget
	case c.Reason == pb.Reason_REASON_ISSUER_REJECTED && c.State == pb.CouponState_COUPON_STATE_DEAD:
		return fsm.Refused
	}
	return fsm.NoAnswer
}

// keepStock watches for an issuer that has forgotten, and tells the workers that own what is missing.
func (x *Processor) keepStock(ctx context.Context) {
	for pause(ctx, 250*time.Millisecond) == nil {
		missing, err := x.cfg.Stock.Missing(ctx)
		if err != nil {
			continue // the issuer is down: the pool says so
		}
		for _, p := range missing {
			if part := x.running(p); part != nil {
				part.box.order(func(w *worker) { w.stock.missing = true })
			}
		}
	}
}
