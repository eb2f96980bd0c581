using BenchmarkDotNet.Running;
using OT.Benchmarks;

if (args is ["peers", .. var rest])
    return PeerTimings.Run(rest);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, new BenchmarkSettings());
return 0;
