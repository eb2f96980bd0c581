using System.Runtime.InteropServices;
using OT.Backends;
using OT.Numerics;
using OT.Problems;

namespace OT.Accelerators.Gpu;

/// <summary>Iterations of many small problems at once, a group of work items for each: what <see cref="ICostOperator.Iterate"/> is for one problem.</summary>
/// <remarks>Costs, weights and potentials lie in flat arrays on the device, nothing padded; numbers are doubles where the device has them.</remarks>
sealed class GpuBatch : IDisposable
{
    const double Log2E = 1.4426950408889634;
    const int GroupSize = 64;
    const int StepLength = 8;
    const int FlagCount = 4;

    /// <summary>Iterations, over all problems, between two looks of the host: about so many pairs per processor.</summary>
    const long RoundPairs = 1 << 22;

    readonly IGpuDevice _device;
    readonly ProblemBatch _batch;
    readonly double[] _epsilons;
    readonly GpuMemory _memory;
    readonly GpuReal _wide;
    readonly IGpuKernel _iterate;
    readonly GpuArgument[] _fixed;
    readonly GpuBuffer _steps;
    readonly GpuBuffer _flags;
    readonly GpuBuffer _figures;
    readonly GpuBuffer _f;
    readonly GpuBuffer _g;
    readonly double[] _masses;
    readonly long _pairs;

    /// <summary>Sends the problems.</summary>
    /// <param name="device">Where they run.</param>
    /// <param name="batch">The problems; a regulariser is not looked at.</param>
    /// <param name="epsilons">ε of each, in its cost units.</param>
    public GpuBatch(IGpuDevice device, ProblemBatch batch, ReadOnlySpan<double> epsilons)
    {
        Guard.Length(epsilons.Length, batch.Count, nameof(epsilons));
        (_device, _batch, _epsilons, _memory) = (device, batch, epsilons.ToArray(), new GpuMemory(device));
        _wide = device.HasDoubles ? GpuReal.Double : GpuReal.Single;
        _masses = new double[batch.Count];
        try
        {
            (double[] a, double[] b) = Weights();
            (double[] costs, long[] starts) = Costs();
            for (int k = 0; k < batch.Count; k++)
                _pairs += (long)batch.Rows(k) * batch.Columns(k);
            _fixed =
            [
                Send(costs),
                SendBytes(MemoryMarshal.AsBytes<long>(starts)),
                SendBytes(MemoryMarshal.AsBytes(batch.OffsetsA)),
                SendBytes(MemoryMarshal.AsBytes(batch.OffsetsB)),
                Send(a),
                Send(Array.ConvertAll(a, Math.Log)),
                Send(b),
                Send(Array.ConvertAll(b, Math.Log)),
            ];
            _steps = _memory.Allocate((long)StepLength * batch.Count, _wide);
            _flags = _memory.Allocate((long)FlagCount * sizeof(int) * batch.Count);
            _figures = _memory.Allocate(2L * batch.Count, _wide);
            _f = _memory.Allocate(2L * a.Length, _wide);
            _g = _memory.Allocate(2L * b.Length, _wide);
            _iterate = device.Kernel(new(GpuProgram.Batch, _wide, _wide, _wide), "iterate");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Up to <paramref name="count"/> iterations of each problem; each stops by itself where its L1 error is at most <paramref name="tolerance"/> times its mass.</summary>
    /// <param name="count">Iterations at most.</param>
    /// <param name="tolerance">Relative to the mass.</param>
    /// <param name="f">In and out: source potentials, one problem after another.</param>
    /// <param name="g">In and out: target potentials.</param>
    /// <param name="errors">Out: error of each; NaN where no iteration was made or a value was not finite.</param>
    /// <param name="made">Out: iterations of each.</param>
    /// <param name="cancellation">Looked at between launches; potentials are then those of the iterations made.</param>
    /// <returns>Whether all problems came to their end.</returns>
    public bool Iterate(
        int count,
        double tolerance,
        Span<double> f,
        Span<double> g,
        Span<double> errors,
        Span<int> made,
        CancellationToken cancellation = default
    )
    {
        int n = _batch.OffsetsA[^1],
            m = _batch.OffsetsB[^1];
        Guard.Length(f.Length, n, nameof(f));
        Guard.Length(g.Length, m, nameof(g));
        Guard.Length(errors.Length, _batch.Count, nameof(errors));
        Guard.Length(made.Length, _batch.Count, nameof(made));
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        _memory.Write(_f, f, _wide);
        _memory.Write(_g, g, _wide);
        WriteSteps(count, tolerance);
        var flags = new int[FlagCount * _batch.Count];
        int rounds = (int)Math.Clamp(RoundPairs * _device.Processors / Math.Max(_pairs, 1), 1, 256);
        bool ended = false;
        while (!ended && !cancellation.IsCancellationRequested)
        {
            _device.Launch(_iterate, _batch.Count, GroupSize, [.. _fixed, _steps, _f, _g, _flags, _figures, n, m, rounds]);
            ended = ReadFlags(flags);
        }
        ReadFlags(flags);
        double[] bothF = new double[2 * n],
            bothG = new double[2 * m],
            figures = new double[2 * _batch.Count];
        _memory.Read(_f, bothF, _wide);
        _memory.Read(_g, bothG, _wide);
        _memory.Read(_figures, figures, _wide);
        for (int k = 0; k < _batch.Count; k++)
        {
            made[k] = flags[(FlagCount * k) + 1];
            errors[k] = made[k] == 0 || flags[(FlagCount * k) + 2] != 0 ? double.NaN : figures[2 * k];
            int set = made[k] % 2;
            Copy(bothF.AsSpan(set * n, n), f, _batch.OffsetsA, k);
            Copy(bothG.AsSpan(set * m, m), g, _batch.OffsetsB, k);
        }
        return ended;
    }

    /// <summary>Gives all memory of the device back.</summary>
    public void Dispose() => _memory.Dispose();

    static void Copy(ReadOnlySpan<double> from, Span<double> to, ReadOnlySpan<int> offsets, int problem) =>
        from[offsets[problem]..offsets[problem + 1]].CopyTo(to[offsets[problem]..]);

    /// <summary>Fetches the flags and tells whether every problem is done.</summary>
    bool ReadFlags(int[] flags)
    {
        _device.Read(_flags, MemoryMarshal.AsBytes(flags.AsSpan()));
        for (int k = 0; k < _batch.Count; k++)
        {
            if (flags[FlagCount * k] == 0)
                return false;
        }
        return true;
    }

    void WriteSteps(int count, double tolerance)
    {
        var steps = new double[StepLength * _batch.Count];
        var flags = new int[FlagCount * _batch.Count];
        for (int k = 0; k < _batch.Count; k++)
        {
            double epsilon = _epsilons[k];
            MarginalPenalty a = _batch.PenaltyA,
                b = _batch.PenaltyB;
            double[] step = [Log2E / epsilon, Log2E, 1, tolerance * _masses[k], a.Tau(epsilon), b.Tau(epsilon), a.Bound, b.Bound];
            step.CopyTo(steps, StepLength * k);
            flags[(FlagCount * k) + 3] = count;
        }
        _memory.Write(_steps, steps, _wide);
        _device.Write(_flags, MemoryMarshal.AsBytes<int>(flags));
    }

    /// <summary>Weights of all problems; hard marginals have one mass, to which b is scaled.</summary>
    (double[] A, double[] B) Weights()
    {
        var a = new double[_batch.OffsetsA[^1]];
        var b = new double[_batch.OffsetsB[^1]];
        bool balanced = _batch.PenaltyA.IsExact && _batch.PenaltyB.IsExact;
        for (int k = 0; k < _batch.Count; k++)
        {
            ReadOnlySpan<double> ownA = _batch.WeightsA(k),
                ownB = _batch.WeightsB(k);
            double massA = Summation.Sum(ownA),
                scale = Solvers.Entropic.SmallProblem.ScaleOf(balanced, massA, Summation.Sum(ownB));
            _masses[k] = massA;
            ownA.CopyTo(a.AsSpan(_batch.OffsetsA[k]));
            for (int j = 0; j < ownB.Length; j++)
                b[_batch.OffsetsB[k] + j] = scale * ownB[j];
        }
        return (a, b);
    }

    /// <summary>Costs of all problems, once where they are shared, and where each begins.</summary>
    (double[] Costs, long[] Starts) Costs()
    {
        var starts = new long[_batch.Count];
        if (_batch.Shared is { } shared)
        {
            var table = new double[Guard.ArrayLength(shared.Rows, shared.Columns, "the costs of a batch")];
            shared.CostRows(0, shared.Rows, table);
            return (table, starts);
        }
        long total = 0;
        for (int k = 0; k < _batch.Count; k++)
        {
            starts[k] = total;
            total += (long)_batch.Rows(k) * _batch.Columns(k);
        }
        var costs = new double[Guard.ArrayLength(total, 1, "the costs of a batch")];
        for (int k = 0; k < _batch.Count; k++)
            _batch.Costs(k, new double[_batch.CostScratch(k)]).CopyTo(costs.AsSpan((int)starts[k]));
        return (costs, starts);
    }

    GpuBuffer Send(double[] values)
    {
        GpuBuffer buffer = _memory.Allocate(values.Length, _wide);
        _memory.Write(buffer, values, _wide);
        return buffer;
    }

    GpuBuffer SendBytes(ReadOnlySpan<byte> bytes)
    {
        GpuBuffer buffer = _memory.Allocate(bytes.Length);
        _device.Write(buffer, bytes);
        return buffer;
    }
}
