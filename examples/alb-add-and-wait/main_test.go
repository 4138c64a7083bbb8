package main

func Example() {
	main()
	// Output:
	// AddServersToServerGroup Succeeded
	// i-bp1f9kdprbgy9uiu7x2c:8080 weight 100 Available
	// i-bp1ek6yd7jvkx3m9q0ta:8080 weight 0 Available
}
