using System.Runtime.InteropServices;
using OT.Backends;
using OT.Numerics;
using OT.Problems;
using OT.Solvers.Entropic;

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

    /// <summary>Costs that are gathered on the host before they are sent.</summary>
    public const long MostPairs = 1 << 26;

    readonly IGpuDevice _device;
    readonly ProblemBatch _batch;
    readonly int[] _problems;
    readonly int[] _offsetsA;
    readonly int[] _offsetsB;
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
    readonly long _pairs;

    /// <summary>Sends the problems.</summary>
    /// <param name="device">Where they run.</param>
    /// <param name="batch">The problems; a regulariser is not looked at.</param>
    /// <param name="problems">Which of them.</param>
    /// <param name="epsilons">ε of every problem of the batch, in its cost units.</param>
    public GpuBatch(IGpuDevice device, ProblemBatch batch, ReadOnlySpan<int> problems, ReadOnlySpan<double> epsilons)
    {
        Guard.Length(epsilons.Length, batch.Count, nameof(epsilons));
        (_device, _batch, _memory) = (device, batch, new GpuMemory(device));
        (_problems, _epsilons) = (problems.ToArray(), epsilons.ToArray());
        _wide = device.HasDoubles ? GpuReal.Double : GpuReal.Single;
        _offsetsA = Offsets(batch.OffsetsA);
        _offsetsB = Offsets(batch.OffsetsB);
        foreach (int problem in _problems)
            _pairs += (long)batch.Rows(problem) * batch.Columns(problem);
        try
        {
            (double[] a, double[] b) = Weights();
            (double[] costs, long[] starts) = Costs();
            _fixed =
            [
                Send(costs),
                SendBytes(MemoryMarshal.AsBytes<long>(starts)),
                SendBytes(MemoryMarshal.AsBytes<int>(_offsetsA)),
                SendBytes(MemoryMarshal.AsBytes<int>(_offsetsB)),
                Send(a),
                Send(Array.ConvertAll(a, Math.Log)),
                Send(b),
                Send(Array.ConvertAll(b, Math.Log)),
            ];
            _steps = _memory.Allocate((long)StepLength * Count, _wide);
            _flags = _memory.Allocate((long)FlagCount * sizeof(int) * Count);
            _figures = _memory.Allocate(2L * Count, _wide);
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

    /// <summary>Bytes of one problem on a device with doubles, but for its costs.</summary>
    public static long BytesBesideCosts(int rows, int columns) =>
        (4L * sizeof(double) * (rows + columns))
        + ((StepLength + 2) * sizeof(double))
        + (FlagCount * sizeof(int))
        + (sizeof(long) + (4 * sizeof(int)));

    int Count => _problems.Length;

    /// <summary>Up to <paramref name="count"/> iterations of each problem; each stops by itself where its L1 error is at most its target.</summary>
    /// <param name="count">Iterations at most.</param>
    /// <param name="targets">Of every problem of the batch, in units of mass.</param>
    /// <param name="f">In and out: source potentials of the batch; those of other problems are left alone.</param>
    /// <param name="g">In and out: target potentials.</param>
    /// <param name="errors">Out: error of each; NaN where no iteration was made or a value was not finite.</param>
    /// <param name="made">Out: iterations of each.</param>
    /// <param name="cancellation">Looked at between launches; potentials are then those of the iterations made.</param>
    /// <returns>Whether all problems came to their end.</returns>
    public bool Iterate(
        int count,
        ReadOnlySpan<double> targets,
        Span<double> f,
        Span<double> g,
        Span<double> errors,
        Span<int> made,
        CancellationToken cancellation = default
    )
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(count);
        int n = _offsetsA[^1],
            m = _offsetsB[^1];
        double[] bothF = new double[2 * n],
            bothG = new double[2 * m],
            figures = new double[2 * Count];
        for (int k = 0; k < Count; k++)
        {
            OwnF(f, k).CopyTo(bothF.AsSpan(_offsetsA[k]));
            OwnG(g, k).CopyTo(bothG.AsSpan(_offsetsB[k]));
        }
        _memory.Write(_f, bothF.AsSpan(0, n), _wide);
        _memory.Write(_g, bothG.AsSpan(0, m), _wide);
        WriteSteps(count, targets);
        var flags = new int[FlagCount * Count];
        int rounds = (int)Math.Clamp(RoundPairs * _device.Processors / Math.Max(_pairs, 1), 1, 256);
        bool ended = false;
        while (!ended && !cancellation.IsCancellationRequested)
        {
            _device.Launch(_iterate, Count, GroupSize, [.. _fixed, _steps, _f, _g, _flags, _figures, n, m, rounds]);
            ended = ReadFlags(flags);
        }
        ReadFlags(flags);
        _memory.Read(_f, bothF, _wide);
        _memory.Read(_g, bothG, _wide);
        _memory.Read(_figures, figures, _wide);
        for (int k = 0; k < Count; k++)
        {
            int problem = _problems[k];
            made[problem] = flags[(FlagCount * k) + 1];
            errors[problem] = made[problem] == 0 || flags[(FlagCount * k) + 2] != 0 ? double.NaN : figures[2 * k];
            int set = made[problem] % 2;
            Span<double> ownF = OwnF(f, k),
                ownG = OwnG(g, k);
            bothF.AsSpan((set * n) + _offsetsA[k], ownF.Length).CopyTo(ownF);
            bothG.AsSpan((set * m) + _offsetsB[k], ownG.Length).CopyTo(ownG);
        }
        return ended;
    }

    /// <summary>Gives all memory of the device back.</summary>
    public void Dispose() => _memory.Dispose();

    Span<double> OwnF(Span<double> f, int k) => f.Slice(_batch.OffsetsA[_problems[k]], _batch.Rows(_problems[k]));

    Span<double> OwnG(Span<double> g, int k) => g.Slice(_batch.OffsetsB[_problems[k]], _batch.Columns(_problems[k]));

    /// <summary>Where the problems begin once the others are left out.</summary>
    int[] Offsets(ReadOnlySpan<int> all)
    {
        var own = new int[Count + 1];
        for (int k = 0; k < Count; k++)
            own[k + 1] = own[k] + all[_problems[k] + 1] - all[_problems[k]];
        return own;
    }

    /// <summary>Fetches the flags and tells whether every problem is done.</summary>
    bool ReadFlags(int[] flags)
    {
        _device.Read(_flags, MemoryMarshal.AsBytes(flags.AsSpan()));
        for (int k = 0; k < Count; k++)
        {
            if (flags[FlagCount * k] == 0)
                return false;
        }
        return true;
    }

    void WriteSteps(int count, ReadOnlySpan<double> targets)
    {
        var steps = new double[StepLength * Count];
        var flags = new int[FlagCount * Count];
        MarginalPenalty a = _batch.PenaltyA,
            b = _batch.PenaltyB;
        for (int k = 0; k < Count; k++)
        {
            double epsilon = _epsilons[_problems[k]];
            double[] step = [Log2E / epsilon, Log2E, 1, targets[_problems[k]], a.Tau(epsilon), b.Tau(epsilon), a.Bound, b.Bound];
            step.CopyTo(steps, StepLength * k);
            flags[(FlagCount * k) + 3] = count;
        }
        _memory.Write(_steps, steps, _wide);
        _device.Write(_flags, MemoryMarshal.AsBytes<int>(flags));
    }

    /// <summary>Weights of all problems; hard marginals have one mass, to which b is scaled.</summary>
    (double[] A, double[] B) Weights()
    {
        var a = new double[_offsetsA[^1]];
        var b = new double[_offsetsB[^1]];
        bool balanced = _batch.PenaltyA.IsExact && _batch.PenaltyB.IsExact;
        for (int k = 0; k < Count; k++)
        {
            ReadOnlySpan<double> ownA = _batch.WeightsA(_problems[k]),
                ownB = _batch.WeightsB(_problems[k]);
            double scale = SmallProblem.ScaleOf(balanced, Summation.Sum(ownA), Summation.Sum(ownB));
            ownA.CopyTo(a.AsSpan(_offsetsA[k]));
            for (int j = 0; j < ownB.Length; j++)
                b[_offsetsB[k] + j] = scale * ownB[j];
        }
        return (a, b);
    }

    /// <summary>Costs of all problems, once where they are shared, and where each begins.</summary>
    (double[] Costs, long[] Starts) Costs()
    {
        var starts = new long[Count];
        if (_batch.Shared is { } shared)
        {
            var table = new double[Guard.ArrayLength(shared.Rows, shared.Columns, "the costs of a batch")];
            shared.CostRows(0, shared.Rows, table);
            return (table, starts);
        }
        var costs = new double[Guard.ArrayLength(_pairs, 1, "the costs of a batch")];
        double[] scratch = [];
        int start = 0;
        for (int k = 0; k < Count; k++)
        {
            int needed = _batch.CostScratch(_problems[k]);
            if (needed > scratch.Length)
                scratch = new double[needed];
            ReadOnlySpan<double> own = _batch.Costs(_problems[k], scratch);
            own.CopyTo(costs.AsSpan(start));
            starts[k] = start;
            start += own.Length;
        }
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
