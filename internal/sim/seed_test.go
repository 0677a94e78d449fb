//go:build synctests

package sim

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/fsm"
	"hongbao/internal/admission"
	"hongbao/internal/embedded"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

const (
	partitions = 4
	group      = "sim"
	quietMax   = 60 * time.Second // I8
)

// sim is one seed's world.
type sim struct {
	t    *testing.T
	ctx  context.Context //nolint:containedctx // of the bubble
	seed uint64
	plan *plan
	rng  *rand.Rand // of what happens while it runs, beside the plan
	log  *slog.Logger

	net     *network
	cluster *kfake.Cluster
	brokers []string
	redis   *admission.Memory
	issuer  *issuer
	limiter *fsm.MemoryLimiter
	tool    *topiclog.Client
	watch   *watcher
	revokes *revokes
	heard   *heard
	reader  *reader
	fleet   []*instance

	keys      *schemas.CodeKeys
	campaigns []*schemas.Campaign
	texts     *schemas.CampaignTexts
	feed      *feed
	faults    *faults

	hitMu    sync.Mutex
	pending  sync.WaitGroup // what ends with the faults
	healing  chan struct{}  // closed when the faults are over
	allDown  bool           // nobody may be started
	last     []func()       // what counts a fault when all is over
	overrun  []string       // who came back after others went on, and has not been told
	adopt    []adoption
	expected expected
	said     map[string]int // what failed, by oracle and sentence
	result   result
}

// result is what a seed came to.
type result struct {
	Seed       uint64         `json:"seed"`
	Trace      string         `json:"trace"`
	Violations []string       `json:"violations"`
	Hits       map[string]int `json:"hits"`    // faults that hit, by kind
	Reached    map[string]int `json:"reached"` // what was covered
	Simulated  time.Duration  `json:"simulated"`
	Instances  int            `json:"instances"` // that began
	Events     int            `json:"events"`    // inputs sent, of all kinds
	Faults     []fault        `json:"faults"`    // the schedule
	torn       bool           // a disk failed or has a bit turned, under a living process or not
}

// play runs one seed in a bubble of its own.
func play(t *testing.T, seed uint64, drop []int, verbose io.Writer) (out result) {
	var r result
	var bubble string
	defer func() {
		if e := recover(); e != nil {
			stacks := remain(e, bubble)
			if len(stacks) == 0 || !pebbles(stacks) || !r.torn {
				panic(fmt.Sprintf("seed %d: %v\n\n%s", seed, e, strings.Join(stacks, "\n\n")))
			}
			out = r
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		bubble = bubbleOf(string(stack(false)))
		s := newSim(t, seed, drop, verbose)
		s.run()
		r = s.result
	})
	return r
}

func newSim(t *testing.T, seed uint64, drop []int, verbose io.Writer) *sim {
	s := &sim{healing: make(chan struct{}), t: t, ctx: t.Context(), seed: seed, rng: rand.New(rand.NewPCG(seed, 1)), log: slog.New(slog.DiscardHandler)}
	if verbose != nil {
		s.log = slog.New(slog.NewTextHandler(verbose, &slog.HandlerOptions{Level: slog.LevelInfo}))
	}
	s.said = map[string]int{}
	s.result = result{Seed: seed, Hits: map[string]int{}, Reached: map[string]int{}}
	s.plan = draw(seed, drop)
	s.result.Faults, s.result.Instances = s.plan.Faults, s.plan.Instances
	burn(seed)
	return s
}

// burn moves the runtime's own random streams, which begin alike in each bubble, by what the seed says.
func burn(seed uint64) {
	c := make(chan int, 1)
	for range seed % 61 {
		select {
		case c <- 1:
		case <-c:
		}
	}
}

// sayMax bounds how often an oracle says the same of a seed, so that the first that fails does not silence the others.
const sayMax = 5

func (s *sim) fail(oracle, format string, args ...any) {
	s.hitMu.Lock()
	defer s.hitMu.Unlock()
	if s.said[oracle+format]++; s.said[oracle+format] <= sayMax {
		s.result.Violations = append(s.result.Violations, oracle+": "+fmt.Sprintf(format, args...))
	}
}

func (s *sim) must(err error) {
	if err != nil {
		panic(fmt.Sprintf("seed %d: the simulation itself: %v", s.seed, err))
	}
}

// run is a seed from the first topic to the verdict.
func (s *sim) run() {
	began := time.Now()
	s.build()
	defer s.tearDown()
	s.start()
	s.act()
	s.settle()
	if s.adopted() {
		s.settle()
	}
	owners := s.owners()
	s.stop()
	for _, fn := range s.last {
		fn()
	}
	s.timeOut()
	s.judge(owners)
	s.result.Simulated = time.Since(began)
}

// build makes broker, network, topics and models.
func (s *sim) build() {
	s.net = newNetwork()
	s.watch, s.revokes, s.heard = newWatcher(s), newRevokes(s), &heard{s: s}
	s.net.request, s.net.response, s.net.arrives = s.watch.request, s.watch.response, s.heard.response
	var err error
	s.faults = newFaults(s)
	s.cluster, err = kfake.NewCluster(
		kfake.NumBrokers(s.plan.Brokers), kfake.ListenFn(s.net.listen), kfake.WithLogger(s.watch),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}),
	)
	s.must(err)
	embedded.GuardFetches(s.cluster)
	s.brokers = s.cluster.ListenAddrs()
	s.redis = admission.NewMemory(nil)
	s.issuer = newIssuer(s)
	s.limiter, err = fsm.NewMemoryLimiter(fsm.Rate{PerSecond: 1000}, time.Now)
	s.must(err)
	s.keys = codeKeys()
	s.texts = &schemas.CampaignTexts{}
	s.campaigns = s.plan.campaigns(s.texts)
	s.tool, err = topiclog.Dial(s.ctx, topiclog.Config{Brokers: s.brokers, Options: s.client("tool")})
	s.must(err)
	_, err = s.tool.Create(s.ctx, topiclog.Options{Partitions: partitions, Dev: true})
	s.must(err)
	s.feed = newFeed(s)
	s.reader = newReader(s)
}

// client are the options of a client that is not hongbao's: its requests meet no fault.
func (s *sim) client(name string) []kgo.Opt {
	return []kgo.Opt{kgo.Dialer(s.net.link(name).dial), kgo.ClientID(name), kgo.DisableClientMetrics()}
}

func (s *sim) tearDown() {
	s.reader.close()
	s.feed.w.Close()
	s.tool.Close()
	s.cluster.Close()
	synctest.Wait()
}

// pause lets simulated time pass.
func (s *sim) pause(d time.Duration) { time.Sleep(d) }

func verboseWriter() io.Writer {
	if *flagLog {
		return os.Stdout
	}
	return nil
}
