package pool_test
import ("testing";"testing/synctest";"time";"sync";"github.com/cloudlb/cloudlb/fakecloud";"github.com/cloudlb/cloudlb/pool";"fmt";"strings")
func TestZZProbe(t *testing.T) {
	for _, s := range services()[:2] {
	for _, j := range []time.Duration{0, 6*time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			cloud := fakecloud.New()
			_, id := s.make(t, cloud, cloud.Config())
			var wg sync.WaitGroup
			start := time.Now()
			for i := range 200 {
				wg.Go(func() {
					p := pool.New(anotherClient(t, s.name, cloud, id))
					_, err := p.Join(t.Context(), pool.Join{Member: s.spec(i + 1), InService: time.Hour, Jitter: j})
					if err != nil { t.Error(err) }
				})
			}
			wg.Wait()
			n := 0
			for _, r := range cloud.Requests() { if strings.HasPrefix(r.Code,"Thr") {n++}}
			fmt.Println(s.name, j, time.Since(start), len(cloud.Requests()), n)
		})
	}
	}
}
