using BenchmarkDotNet.Running;
using OT.Benchmarks;

if (args is ["peers", .. var rest])
    return PeerTimings.Run(rest);
if (args is ["kernels", .. var kernelArguments])
    return KernelRatios.Run(kernelArguments);
if (args is ["backends", .. var backendArguments])
    return BackendTimings.Run(backendArguments);
if (args is ["native", .. var nativeArguments])
    return NativeRatios.Run(nativeArguments);
if (args is ["sparse", .. var sparseArguments])
    return SparseRatios.Run(sparseArguments);
if (args is ["inverse"])
    return InverseTimings.Run();
if (args is ["classes", .. var classArguments])
    return ClassTimings.Run(classArguments);
if (args is ["blas", .. var blasArguments])
    return BlasRatios.Run(blasArguments);
if (args is ["routing", .. var routingArguments])
    return RoutingTimings.Run(routingArguments);
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, new BenchmarkSettings());
return 0;
