package processor

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/eventstore"
	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/internal/crashpoint"
	"hongbao/projections"
	"hongbao/schemas"
)

// PinMode says whether workers are pinned to cores.
type PinMode uint8

// PinAuto pins where each worker has a core of its own: eight pinned workers on one core cost 20-30 %.
const (
	PinAuto PinMode = iota
	PinOn           // always
	PinOff          // never
)

// ParsePinMode reads the configuration key `pin`.
func ParsePinMode(s string) (PinMode, error) {
	switch s {
	case "auto", "":
		return PinAuto, nil
	case "on":
		return PinOn, nil
	case "off":
		return PinOff, nil
	}
	return PinAuto, fmt.Errorf("pin %q: want auto, on or off", s)
}

// Config is everything that a Processor needs. Whoever makes it owns what it points to and closes it after Run.
type Config struct {
	Brokers  []string
	Kafka    []kgo.Opt // TLS, SASL, loggers; for every client
	Prefix   string    // of topics and transactional ids
	Group    string    // default "hongbao"
	Instance string    // group.instance.id: one per process
	Address  string    // of the admin API, told to the others in the client id

	Partitions int32 // of every topic
	OpenMax    int   // coupons on their way per partition, default 128
	Pin        PinMode
	Lanes      int // default: one for two usable cores, at most Partitions

	Store       eventstore.Config
	Projections projections.Config
	Campaigns   []*schemas.Campaign
	CodeKeys    *schemas.CodeKeys

	Gate    *admission.Gate // Run by the Processor
	Issuer  fsm.Issuer
	Stock   fsm.Stock
	Limiter fsm.Limiter

	CheckpointEvery time.Duration // default 10 min; 0 takes the default
	Now             func() time.Time
	Logger          *slog.Logger
	Metrics         prometheus.Registerer
}

// Validate answers with one sentence per mistake and sets defaults.
func (c *Config) Validate() error {
	var errs []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("processor: "+format, args...))
		}
	}
	need(len(c.Brokers) > 0, "no broker address")
	need(c.Instance != "", "no instance name: every process of a group has its own")
	need(c.Partitions > 0, "%d partitions: at least 1 is needed", c.Partitions)
	need(c.OpenMax >= 0, "open_max is %d: at least 1 is needed, or 0 for 128", c.OpenMax)
	need(c.Lanes >= 0, "%d lanes: at least 1 is needed, or 0 for one for two usable cores", c.Lanes)
	need(c.CodeKeys != nil, "no code keys")
	need(c.Gate != nil && c.Issuer != nil && c.Stock != nil && c.Limiter != nil, "gate, issuer, stock and limiter must be given")
	for _, camp := range c.Campaigns {
		need(c.CodeKeys == nil || !c.CodeKeys.Demo() || camp.ID == schemas.DemoCampaignID,
			"campaign %d with the published demo key, which is good for campaign %d alone: set HONGBAO_CODE_KEYS", camp.ID, schemas.DemoCampaignID)
	}
	c.defaults()
	return errors.Join(errs...)
}

func (c *Config) defaults() {
	if c.Group == "" {
		c.Group = "hongbao"
	}
	if c.OpenMax == 0 {
		c.OpenMax = 128
	}
	if c.CheckpointEvery == 0 {
		c.CheckpointEvery = crashpoint.CheckpointEvery(10 * time.Minute)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Projections.Campaigns == nil {
		c.Projections.Campaigns = &schemas.CampaignTexts{}
	}
	c.Store.Partitions = c.Partitions
	if c.Store.Logger == nil {
		c.Store.Logger = c.Logger
	}
}
