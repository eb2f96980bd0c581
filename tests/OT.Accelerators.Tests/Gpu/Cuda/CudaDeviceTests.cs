using System.Runtime.InteropServices;
using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.Cuda;
using OT.Backends;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

[Collection(FakeCuda.Name)]
public sealed class CudaDeviceTests
{
    static readonly GpuModule s_vectors = new(GpuProgram.Vectors, GpuReal.Double, GpuReal.Double, GpuReal.Double);

    static ReadOnlySpan<byte> Bytes(ReadOnlySpan<double> values) => MemoryMarshal.AsBytes(values);

    [Fact]
    public void What_is_written_is_read()
    {
        using (CudaDevice device = FakeCuda.Device())
        using (GpuBuffer buffer = device.Allocate(32))
        {
            Assert.Equal(32, device.AllocatedBytes);
            device.Clear(buffer);
            device.Write(buffer, Bytes([1.5, 2.5]), offset: 8);
            double[] read = new double[3];
            device.Read(buffer, MemoryMarshal.AsBytes(read.AsSpan()), offset: 8);
            Assert.Equal([1.5, 2.5, 0], read);
            buffer.Dispose();
            Assert.Equal(0, device.AllocatedBytes);
        }
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void What_was_disposed_says_so()
    {
        CudaDevice device = FakeCuda.Device();
        device.Dispose();
        Assert.Throws<ObjectDisposedException>(() => device.Allocate(8));
        Assert.Throws<ObjectDisposedException>(() => device.Kernel(s_vectors, "make_bias"));
        device.Dispose();
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void A_driver_that_is_too_old_is_told_with_both_versions()
    {
        BackendException e = Assert.Throws<BackendException>(() => FakeCuda.Driver(version: 10020));
        Assert.Contains("serves CUDA 10.2", e.Message, StringComparison.Ordinal);
        Assert.Contains("11.4 or later", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_device_is_told_in_the_drivers_words()
    {
        BackendException e = Assert.Throws<BackendException>(() => FakeCuda.Driver(devices: 0));
        Assert.Equal(100, e.NativeCode);
        Assert.Contains("CUDA_ERROR_NO_DEVICE (no CUDA-capable device is detected)", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_is_not_there_or_too_old_is_told()
    {
        CudaDriver driver = FakeCuda.Driver();
        Assert.Contains("device 1 was asked for", Refused(() => new CudaDevice(driver, 1).Dispose()), StringComparison.Ordinal);
        Assert.Contains(
            "compute capability 7.0; 8.0",
            Refused(() => FakeCuda.Device(major: 7).Dispose()),
            StringComparison.Ordinal
        );
        FakeCuda.AssertNothingIsLeft();
    }

    static string Refused(Action action) => Assert.Throws<BackendException>(action).Message;

    [Fact]
    public void Out_of_memory_tells_what_was_asked_for_and_what_is_free()
    {
        using (CudaDevice device = FakeCuda.Device(memory: 1000))
        using (device.Allocate(600))
        {
            BackendException e = Assert.Throws<BackendException>(() => device.Allocate(500));
            Assert.Equal(FakeCuda.OutOfMemory, e.NativeCode);
            Assert.Contains("take 500 bytes", e.Message, StringComparison.Ordinal);
            Assert.Contains("400 of 1,000 bytes are free", e.Message, StringComparison.Ordinal);
            Assert.Equal(600, device.AllocatedBytes);
        }
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void What_the_drivers_compiler_says_is_in_the_message()
    {
        using (CudaDevice device = FakeCuda.Device())
        {
            FakeCuda.Fail("cuModuleLoadDataEx", FakeCuda.InvalidPtx);
            BackendException e = Assert.Throws<BackendException>(() => device.Kernel(s_vectors, "judge"));
            Assert.Contains("CUDA_ERROR_INVALID_PTX", e.Message, StringComparison.Ordinal);
            Assert.Contains("line 7; fatal : this log is made up", e.Message, StringComparison.Ordinal);
            Assert.Equal("judge", device.Kernel(s_vectors, "judge").Name); // the next attempt is a new one
        }
        FakeCuda.AssertNothingIsLeft();
    }

    /// <summary>Every entry that may fail between the first call and the last gives an exception, and leaves nothing alive.</summary>
    [Theory]
    [InlineData("cuDeviceGetCount")]
    [InlineData("cuDeviceGet")]
    [InlineData("cuDeviceGetName")]
    [InlineData("cuDeviceGetAttribute")]
    [InlineData("cuDeviceTotalMem_v2")]
    [InlineData("cuDevicePrimaryCtxRetain")]
    [InlineData("cuCtxPushCurrent_v2")]
    [InlineData("cuStreamCreate")]
    [InlineData("cuMemAlloc_v2")]
    [InlineData("cuMemcpyHtoDAsync_v2")]
    [InlineData("cuMemcpyDtoHAsync_v2")]
    [InlineData("cuMemsetD8Async")]
    [InlineData("cuModuleLoadDataEx")]
    [InlineData("cuModuleGetFunction")]
    [InlineData("cuLaunchKernel")]
    [InlineData("cuStreamBeginCapture_v2")]
    [InlineData("cuStreamEndCapture")]
    [InlineData("cuGraphInstantiateWithFlags")]
    [InlineData("cuGraphLaunch")]
    [InlineData("cuStreamSynchronize")]
    public void Any_failure_is_an_exception_and_leaks_nothing(string function)
    {
        CudaDriver driver = FakeCuda.Driver();
        FakeCuda.Fail(function, 999);
        BackendException e = Assert.Throws<BackendException>(() =>
        {
            using var device = new CudaDevice(driver);
            _ = Biases(device, repeats: 3);
        });
        Assert.Equal(999, e.NativeCode);
        Assert.Contains("error 999", e.Message, StringComparison.Ordinal);
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void Launches_run_in_order_with_the_arguments_they_were_given()
    {
        using (CudaDevice device = FakeCuda.Device())
            Assert.Equal([10, 20, double.NegativeInfinity, double.NegativeInfinity], Biases(device, repeats: 1));
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void A_recorded_sequence_does_what_its_launches_do_and_is_queued_whole()
    {
        using (CudaDevice device = FakeCuda.Device())
        {
            long launches = FakeCuda.Calls("cuLaunchKernel"),
                graphs = FakeCuda.Calls("cuGraphLaunch");
            Assert.Equal([1000, 2000, double.NegativeInfinity, double.NegativeInfinity], Biases(device, repeats: 3));
            Assert.Equal(1, FakeCuda.Calls("cuLaunchKernel") - launches);
            Assert.Equal(3, FakeCuda.Calls("cuGraphLaunch") - graphs);
        }
        FakeCuda.AssertNothingIsLeft();
    }

    /// <summary>Two threads on one device: a launch of one is no part of what the other records.</summary>
    [Fact]
    public void Recording_takes_the_launches_of_its_own_thread_only()
    {
        using (CudaDevice device = FakeCuda.Device())
        {
            long graphs = FakeCuda.Calls("cuGraphLaunch");
            using IGpuSequence sequence = device.Record(() =>
            {
                double[] other = [];
                var thread = new Thread(() => other = Biases(device, repeats: 1));
                thread.Start();
                thread.Join();
                Assert.Equal([10, 20, double.NegativeInfinity, double.NegativeInfinity], other);
            });
            Assert.Equal(graphs, FakeCuda.Calls("cuGraphLaunch"));
        }
        FakeCuda.AssertNothingIsLeft();
    }

    [Fact]
    public void A_kernel_that_fails_is_told_at_the_next_wait()
    {
        using (CudaDevice device = FakeCuda.Device())
        {
            FakeCuda.Fail("cuStreamSynchronize", FakeCuda.LaunchFailed);
            BackendException e = Assert.Throws<BackendException>(device.Finish);
            Assert.Contains("CUDA_ERROR_LAUNCH_FAILED", e.Message, StringComparison.Ordinal);
        }
        FakeCuda.AssertNothingIsLeft();
    }

    /// <summary>Biases 10 times the potential (1, 2), each repetition applied to the result of the one before.</summary>
    static double[] Biases(CudaDevice device, int repeats)
    {
        using GpuBuffer potential = device.Allocate(4 * sizeof(double)),
            logs = device.Allocate(2 * sizeof(double)),
            step = device.Allocate(2 * sizeof(double));
        device.Clear(potential);
        device.Write(potential, Bytes([1, 2]));
        device.Write(logs, Bytes([0, 0]));
        device.Write(step, Bytes([10, 1]));
        IGpuKernel kernel = device.Kernel(s_vectors, "make_bias");
        void Launch() => device.Launch(kernel, 1, 256, [potential, logs, logs, step, potential, 2, 4, 0]);
        if (repeats == 1)
            Launch();
        else
        {
            using IGpuSequence sequence = device.Record(Launch);
            sequence.Run(repeats);
        }
        double[] biases = new double[4];
        device.Read(potential, MemoryMarshal.AsBytes(biases.AsSpan()));
        return biases;
    }
}
