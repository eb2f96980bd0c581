using System.Runtime.InteropServices;
using OT.Accelerators.Gpu;
using OT.Accelerators.Gpu.Cuda;
using OT.Numerics;
using OT.Testing;
using Xunit;

namespace OT.Accelerators.Tests.Gpu.Cuda;

/// <summary>The sweep on tensor cores against a loop, both multiplying what <see cref="TensorSplit"/> leaves of the coordinates.</summary>
[Collection(FakeCuda.Name)]
public sealed class TensorKernelTests
{
    const int Group = 256;

    [Theory]
    [InlineData(3, 64, 64, 32, 64)]
    [InlineData(3, 128, 192, 64, 128)]
    [InlineData(3, 64, 320, 40, 128)]
    [InlineData(3, 64, 128, 72, 64)]
    [InlineData(3, 192, 64, 136, 64)]
    [InlineData(1, 64, 64, 32, 64)]
    [InlineData(1, 128, 192, 64, 128)]
    [InlineData(1, 64, 320, 40, 128)]
    [InlineData(1, 64, 128, 72, 64)]
    [InlineData(1, 192, 64, 136, 64)]
    public void Largest_exponents_and_sums_are_those_of_a_loop(int products, int rows, int columns, int d, int segment)
    {
        const double Scale = 0.7,
            Slope = 3;
        var random = new SeededRandom((ulong)(rows + columns + d));
        float[] x = Points(random, rows, d),
            y = Points(random, columns, d);
        float[] bias =
        [
            .. Enumerable.Range(0, columns).Select(j => j % 7 == 3 ? float.NegativeInfinity : (float)(20 * random.NextDouble())),
        ];
        int segments = (columns + segment - 1) / segment;
        var tops = new float[segments * rows];
        var sums = new float[segments * rows];
        using (CudaDevice device = FakeCuda.Device())
        {
            using GpuBuffer xs = Send(device, Parts(x)),
                ys = Send(device, Parts(y)),
                biases = Send(device, bias),
                step = device.Allocate(sizeof(double)),
                flags = device.Allocate(sizeof(int)),
                top = device.Allocate(tops.Length * sizeof(float)),
                sum = device.Allocate(sums.Length * sizeof(float));
            device.Write(step, MemoryMarshal.AsBytes<double>([Slope]));
            device.Clear(flags);
            var module = new GpuModule(
                products == 3 ? GpuProgram.Tensor : GpuProgram.TensorHeads,
                GpuReal.Single,
                GpuReal.Single,
                GpuReal.Double
            );
            device.Launch(
                device.Kernel(module, "softmin"),
                rows / 64 * segments,
                Group,
                [xs, ys, biases, step, flags, top, sum, Scale, 1f, 1f, rows, columns, d, segments, segment, 0]
            );
            device.Read(top, MemoryMarshal.AsBytes(tops.AsSpan()));
            device.Read(sum, MemoryMarshal.AsBytes(sums.AsSpan()));
        }
        FakeCuda.AssertNothingIsLeft();
        for (int s = 0; s < segments; s++)
        {
            for (int i = 0; i < rows; i++)
            {
                double most = double.NegativeInfinity,
                    total = 0,
                    sizes = 0;
                var t = new List<double>();
                for (int j = s * segment; j < Math.Min((s + 1) * segment, columns); j++)
                {
                    (double dot, double size) = Product(x, rows, i, y, columns, j, d, products);
                    t.Add((Slope * Scale * dot) + bias[j]);
                    most = Math.Max(most, t[^1]);
                    sizes = Math.Max(sizes, size);
                }
                total = t.Sum(e => Math.Pow(2, e - most));
                // Exponents are rounded to floats, and so are the sums of 3d products that they are made of.
                double error = Math.ScaleB(1, -23) * ((3 * d * Slope * Scale * sizes) + 64);
                Approx.Equal(most, tops[(s * rows) + i], error, $"top of row {i}, segment {s}");
                Approx.Equal(
                    most + Math.Log2(total),
                    tops[(s * rows) + i] + Math.Log2(sums[(s * rows) + i]),
                    error,
                    $"sum of row {i}, segment {s}"
                );
            }
        }
    }

    [Fact]
    public void Nothing_is_done_once_the_flag_is_up()
    {
        using (CudaDevice device = FakeCuda.Device())
        {
            using GpuBuffer buffer = device.Allocate(1 << 16),
                flags = device.Allocate(sizeof(int)),
                top = Send(device, [.. Enumerable.Repeat(5f, 64)]);
            device.Clear(buffer);
            device.Write(flags, [1, 0, 0, 0]);
            var module = new GpuModule(GpuProgram.Tensor, GpuReal.Single, GpuReal.Single, GpuReal.Double);
            device.Launch(
                device.Kernel(module, "softmin"),
                1,
                Group,
                [buffer, buffer, buffer, buffer, flags, top, top, 1.0, 1f, 1f, 64, 64, 32, 1, 64, 0]
            );
            var tops = new float[64];
            device.Read(top, MemoryMarshal.AsBytes(tops.AsSpan()));
            Assert.All(tops, value => Assert.Equal(5f, value));
        }
        FakeCuda.AssertNothingIsLeft();
    }

    /// <summary>Coordinate after coordinate.</summary>
    static float[] Points(SeededRandom random, int count, int d) =>
        [.. Enumerable.Range(0, count * d).Select(_ => (float)((2 * random.NextDouble()) - 1))];

    static float[] Parts(float[] points) => [.. points.Select(TensorSplit.Head), .. points.Select(TensorSplit.Tail)];

    static GpuBuffer Send(CudaDevice device, float[] values)
    {
        GpuBuffer buffer = device.Allocate((long)values.Length * sizeof(float));
        device.Write(buffer, MemoryMarshal.AsBytes(values.AsSpan()));
        return buffer;
    }

    static (double Dot, double Size) Product(float[] x, int rows, int i, float[] y, int columns, int j, int d, int products)
    {
        double dot = 0,
            size = 0;
        for (int k = 0; k < d; k++)
        {
            float u = x[(k * rows) + i],
                v = y[(k * columns) + j];
            double heads = (double)TensorSplit.Head(u) * TensorSplit.Head(v);
            dot +=
                products == 1
                    ? heads
                    : heads
                        + ((double)TensorSplit.Head(u) * TensorSplit.Tail(v))
                        + ((double)TensorSplit.Tail(u) * TensorSplit.Head(v));
            size += Math.Abs((double)u * v);
        }
        return (dot, size);
    }
}
