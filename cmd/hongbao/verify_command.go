package main

import (
	"context"
	"errors"
	"io"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"hongbao/fsm"
	"hongbao/internal/verify"
	"hongbao/schemas"
)

func newVerifyCommand(a *app) *cobra.Command {
	var withRedis bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Recompute everything from the topics and say what is not as it should be",
		Long: `Read all topics with read_committed and recompute verdicts, graph, rewards, coupons and results with code of its own.
Exit code 0: nothing is broken, nothing waits and no coupon is open.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := a.verify(cmd.Context(), withRedis)
			if err != nil {
				return err
			}
			if err := a.answer(r, func(w io.Writer) { _ = r.Print(w) }); err != nil || r.OK {
				return err
			}
			return errFailed
		},
	}
	addFlags(cmd.Flags(), "code-keys")
	cmd.Flags().BoolVar(&withRedis, "stock", false, "also compare the issuer's memory in --redis with the facts; wants a system at rest")
	return cmd
}

func (a *app) verify(ctx context.Context, withRedis bool) (*verify.Report, error) {
	keys, err := a.cfg.loadCodeKeys()
	if err != nil {
		return nil, err
	}
	log, err := a.dialTopics(ctx)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cfg := verify.Config{Log: verify.OnKafka(log), Group: a.cfg.GroupID(), Keys: keys}
	if !withRedis {
		return verify.Run(ctx, cfg)
	}
	options, err := a.cfg.redisOptions()
	if err != nil {
		return nil, err
	}
	options.ContextTimeoutEnabled = true
	client := redis.NewClient(options)
	issuer, err := fsm.NewRedisIssuer(client, fsm.RedisConfig{Prefix: a.cfg.RedisTag(), Partitions: partitions})
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	campaigns, err := a.cfg.loadCampaigns()
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	cfg.Stock = issuerMemory{issuer, campaigns}
	r, err := verify.Run(ctx, cfg)
	return r, errors.Join(err, client.Close())
}

// issuerMemory is what the issuer's Redis says of the configured campaigns.
type issuerMemory struct {
	issuer    *fsm.RedisIssuer
	campaigns []*schemas.Campaign
}

// Remembered is verify.Stock's.
func (m issuerMemory) Remembered(ctx context.Context, fn func(id schemas.CouponID, done bool) error) error {
	for _, c := range m.campaigns {
		done := map[schemas.CouponID]bool{}
		if err := m.issuer.Each(ctx, c.ID, func(k fsm.Key, a fsm.Answer) error {
			done[k.ID] = done[k.ID] || a == fsm.Done
			return nil
		}); err != nil {
			return err
		}
		for id, d := range done {
			if err := fn(id, d); err != nil {
				return err
			}
		}
	}
	return nil
}

// Levels is verify.Stock's.
func (m issuerMemory) Levels(ctx context.Context) ([]verify.Level, error) {
	var all []verify.Level
	for _, c := range m.campaigns {
		n, err := m.issuer.Counts(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, k := range n.Kinds {
			all = append(all, verify.Level{Campaign: c.ID, Coupon: k.Kind, Declared: k.Declared, Left: k.Left})
		}
	}
	return all, nil
}
