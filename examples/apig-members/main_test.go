package main

func Example() {
	main()
	// Output:
	// 10.0.8.41:8000 weight 10 available true
	// 10.0.8.42:8000 weight 10 available false
}
