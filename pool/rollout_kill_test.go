package pool_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/slb"
)

const (
	killMembers = 12
	// killEnv has, for the child process: endpoint, key ID, secret, group,
	// directory, and how many members at a time.
	killEnv = "CLOUDLB_TEST_ROLLOUT"
)

// TestRolloutChild is the process that TestRolloutKilled kills.
func TestRolloutChild(t *testing.T) {
	t.Parallel()
	env := strings.Split(os.Getenv(killEnv), " ")
	if len(env) != 6 {
		t.Skip("for TestRolloutKilled")
	}
	var most int
	fmt.Sscan(env[5], &most)
	lb, err := slb.New(cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: env[0], AllowHTTP: true, Credentials: cloudlb.StaticCredentials(env[1], env[2], ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := env[4]
	done := filepath.Join(dir, "deployed")
	r, err := pool.New(hasty{lb.Pool(env[3])}).Rollout(t.Context(), pool.Rollout{
		Release: "v2", MaxUnavailable: most, MinInService: 5, Drain: time.Millisecond,
		Journal: &controlled{Journal: pool.FileJournal(filepath.Join(dir, "journal")), in: bufio.NewReader(os.Stdin)},
		Deploy: func(_ context.Context, m pool.Member) error {
			f, err := os.OpenFile(done, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = fmt.Fprintln(f, m.Server)
			return err
		},
		Deployed: func(_ context.Context, m pool.Member) (bool, error) {
			b, err := os.ReadFile(done)
			if os.IsNotExist(err) {
				err = nil
			}
			fmt.Println("asked", m.Server)
			return slices.Contains(strings.Fields(string(b)), m.Server), err
		},
	})
	if err != nil {
		fmt.Println("failed", strings.ReplaceAll(fmt.Sprint(err, r), "\n", " "))
		return
	}
	fmt.Println("ended", r.Count(pool.RolloutDone))
}

// hasty does not wait for a change to settle: this emulator needs no time for it.
type hasty struct{ driver.Pool }

func (hasty) Wait(ctx context.Context, _ string) error { return ctx.Err() }

// controlled is a journal that tells its parent before and after each write, and
// waits for a line to go on.
type controlled struct {
	pool.Journal
	in *bufio.Reader
}

func (c *controlled) Save(ctx context.Context, content []byte) error {
	if err := c.say("before"); err != nil {
		return err
	}
	if err := c.Journal.Save(ctx, content); err != nil {
		return err
	}
	return c.say("after")
}

func (c *controlled) say(what string) error {
	fmt.Println(what)
	_, err := c.in.ReadString('\n')
	return err
}

// child runs the rollout in a process of its own and kills it when it is about
// to go on for the n-th time; with 0 it lives. It returns what it said.
func child(t *testing.T, env string, n int) (said []string, killed bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // which kills it
	defer cancel()
	cmd := exec.CommandContext(ctx, exe, "-test.run=^TestRolloutChild$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), killEnv+"="+env, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stops := 0
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		line := lines.Text()
		said = append(said, line)
		if line != "before" && line != "after" {
			continue
		}
		if stops++; stops == n {
			if err := cmd.Process.Kill(); err != nil { // SIGKILL
				t.Error(err)
			}
			killed = true
			break
		}
		if _, err := io.WriteString(in, "\n"); err != nil {
			t.Error(err)
			break
		}
	}
	if err := cmd.Wait(); (err != nil) != killed {
		t.Errorf("the child ended with %v: %q", err, said)
	}
	return said, killed
}

// TestRolloutKilled kills a process that rolls out over 12 members, before and
// after each write of its journal. The second process ends the rollout: every
// member has its old weight and was deployed to exactly once, and Deployed was
// asked only about members whose deploy had begun.
func TestRolloutKilled(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it starts a hundred processes")
	}
	for _, most := range []int{4, 1} {
		t.Run(fmt.Sprintf("%d at a time", most), func(t *testing.T) {
			t.Parallel()
			env := killScene(t, most).env
			said, _ := child(t, env, 0)
			points := 0
			for _, line := range said {
				if line == "before" || line == "after" {
					points++
				}
			}
			if points < 2*10 || said[len(said)-2] != "ended 12" && !slices.Contains(said, "ended 12") {
				t.Fatalf("%d points: %q", points, said)
			}
			var asked atomic.Int32
			var wg sync.WaitGroup
			turns := make(chan struct{}, 2)
			for n := 1; n <= points; n++ {
				if most == 1 && n%3 != 0 { // the way is long and repeats itself
					continue
				}
				turns <- struct{}{}
				wg.Go(func() {
					defer func() { <-turns }()
					asked.Add(int32(killAt(t, most, n)))
				})
			}
			wg.Wait()
			if asked.Load() == 0 {
				t.Error("no kill fell between an effect and its record")
			}
			t.Logf("%d points, Deployed was asked %d times", points, asked.Load())
		})
	}
}

type killedRollout struct {
	cloud   *fakecloud.Cloud
	group   string
	dir     string
	env     string
	weights map[string]int
}

func killScene(t *testing.T, most int) killedRollout {
	t.Helper()
	k := killedRollout{cloud: fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithConfiguringWindow(0)), dir: t.TempDir(), weights: make(map[string]int)}
	var servers []fakecloud.BackendServer
	for i := range killMembers {
		id, w := fmt.Sprintf("i-%d", i+1), 5*i // the first has 0
		servers = append(servers, fakecloud.BackendServer{ID: id, Port: 80, Weight: &w})
		k.weights[id] = w
	}
	k.group = k.cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1", Servers: servers})
	k.cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Listeners: []fakecloud.ClassicListener{{Port: 80, GroupID: k.group}}})
	server, err := k.cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	cfg := server.Config()
	keys, err := cfg.Credentials.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.env = strings.Join([]string{cfg.Endpoint, keys.AccessKeyID, keys.SecretAccessKey, k.group, k.dir, fmt.Sprint(most)}, " ")
	return k
}

// killAt kills one process at its n-th stop and lets another one go on. It
// returns how often that one asked whether a member was deployed.
func killAt(t *testing.T, most, n int) (asked int) {
	t.Helper()
	k := killScene(t, most)
	first, killed := child(t, k.env, n)
	if !killed {
		t.Errorf("at %d: it was not killed: %q", n, first)
		return 0
	}
	second, _ := child(t, k.env, 0)
	if !slices.Contains(second, "ended 12") {
		t.Errorf("at %d: %q", n, second)
	}
	now := make(map[string]int)
	for _, g := range k.cloud.State().VServerGroups {
		for _, s := range g.Servers {
			now[s.ID] = *s.Weight
		}
	}
	if d := cmp.Diff(k.weights, now); d != "" {
		t.Errorf("at %d: weights: %s", n, d)
	}
	b, err := os.ReadFile(filepath.Join(k.dir, "deployed"))
	if err != nil {
		t.Error(err)
	}
	deployed := strings.Fields(string(b))
	slices.Sort(deployed)
	if d := cmp.Diff(slices.Sorted(maps.Keys(k.weights)), deployed); d != "" {
		t.Errorf("at %d: deployed: %s", n, d)
	}
	for _, line := range second {
		if strings.HasPrefix(line, "asked ") {
			asked++
		}
	}
	return asked
}
