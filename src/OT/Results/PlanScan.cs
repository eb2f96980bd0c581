using System.Numerics.Tensors;
using System.Runtime.ExceptionServices;
using OT.Geometries;
using OT.Numerics;

namespace OT.Results;

/// <summary>One streaming pass over the rows of a cost and of a plan, in fixed chunks whose partial results are joined in order: the same bits for any thread count.</summary>
/// <remarks>What is asked for is set before <see cref="Run"/>, what was found is read after it. Memory: O(n) and at most 32 sets of O(m).</remarks>
internal sealed partial class PlanScan(Geometry geometry, TransportPlan plan, CancellationToken cancellation)
{
    const int Block = 16; // rows added plainly before they enter a compensated sum
    const int MaxChunks = 32;
    const int ChunkDoubles = 1_000_000; // per accumulator, all chunks together
    const long ParallelPairs = 1 << 15;
    const double SmallestNormal = 2.2250738585072014e-308;

    readonly int _n = geometry.Rows;
    readonly int _m = geometry.Columns;
    int _seen;
    bool _emptyColumns;

    /// <summary>When set: the largest row sums wanted; asks for <see cref="RowScale"/> and <see cref="ScaledColumnSums"/>.</summary>
    public double[]? RowTargets { get; init; }

    /// <summary>When set: g with <c>-∞</c> where b is 0; asks for <see cref="FTransform"/>.</summary>
    public double[]? G { get; init; }

    /// <summary>When set, with <see cref="G"/>, <see cref="F"/>, <see cref="A"/> and <see cref="B"/>: asks for <see cref="GibbsMass"/>.</summary>
    public double GibbsEpsilon { get; init; }

    public double[]? F { get; init; }

    public required double[] A { get; init; }

    public required double[] B { get; init; }

    /// <summary>When set: f; asks for <see cref="GTransform"/> over the rows of positive weight.</summary>
    public double[]? FToTransform { get; init; }

    /// <summary>Asks for <see cref="Entropy"/>.</summary>
    public bool WantsEntropy { get; init; }

    /// <summary>The rows to look at here; all of them by default.</summary>
    public IRowShare Share { get; init; } = RowShare.Whole;

    /// <summary>Threads at most; all processors by default. Changes no bit of the result.</summary>
    public int Threads { get; init; } = -1;

    /// <summary>Receives the share of rows seen, from several threads at once.</summary>
    public Action<double>? Progress { get; init; }

    public double[] RowSums { get; private set; } = [];
    public double[] ColumnSums { get; private set; } = [];

    /// <summary><c>x_i = min(1, target_i / r_i)</c>.</summary>
    public double[] RowScale { get; private set; } = [];

    /// <summary><c>Σ_i x_i P_ij</c>.</summary>
    public double[] ScaledColumnSums { get; private set; } = [];

    /// <summary><c>min_j (C_ij − g_j)</c>, <c>+∞</c> where a row has no allowed column.</summary>
    public double[] FTransform { get; private set; } = [];

    /// <summary><c>min_i (C_ij − f_i)</c>, <c>+∞</c> where a column has no allowed row.</summary>
    public double[] GTransform { get; private set; } = [];

    /// <summary><c>⟨C, P⟩</c>; <c>+∞</c> when a forbidden pair carries mass.</summary>
    public double Cost { get; private set; }

    /// <summary><c>Σ a_i b_j |C_ij| / Σ a</c> over allowed pairs, the cost of shipping without looking.</summary>
    public double IndependentCost { get; private set; }

    /// <summary><c>Σ P log P</c>.</summary>
    public double Entropy { get; private set; }

    /// <summary><c>Σ |P log P|</c>.</summary>
    public double EntropyMagnitude { get; private set; }

    /// <summary><c>Σ a_i b_j exp((f_i + g_j − C_ij)/ε)</c>.</summary>
    public double GibbsMass { get; private set; }

    /// <summary>Largest finite |C| of a pair with weights or mass.</summary>
    public double MaxCost { get; private set; }

    /// <summary>Whether some pair is forbidden.</summary>
    public bool SawForbidden { get; private set; }

    /// <summary>Makes the pass.</summary>
    /// <exception cref="ArgumentException">The plan holds a mass that is negative or not finite.</exception>
    public PlanScan Run() => IsOnLine && (long)_n * _m >= LinePairs ? RunOnLine() : RunOverPairs();

    internal PlanScan RunOverPairs()
    {
        _emptyColumns = B.Contains(0.0);
        RowSums = new double[_n];
        RowScale = RowTargets is null ? [] : new double[_n];
        FTransform = G is null ? [] : new double[_n];
        int chunks = Math.Clamp(ChunkDoubles / _m, 4, MaxChunks);
        (int first, int last) = Share.RowsOf(_n);
        int height = Math.Max(Block, (((last - first + chunks - 1) / chunks) + Block - 1) / Block * Block);
        chunks = (last - first + height - 1) / height;
        var parts = new Part[chunks];
        void Do(int chunk) => parts[chunk] = ScanRows(first + (chunk * height), Math.Min(last, first + ((chunk + 1) * height)));

        if ((long)_n * _m < ParallelPairs || chunks == 1)
        {
            for (int chunk = 0; chunk < chunks; chunk++)
                Do(chunk);
        }
        else
        {
            try
            {
                Parallel.For(
                    0,
                    chunks,
                    new ParallelOptions { CancellationToken = cancellation, MaxDegreeOfParallelism = Threads },
                    Do
                );
            }
            catch (AggregateException failures)
            {
                ExceptionDispatchInfo.Throw(failures.InnerExceptions[0]);
            }
        }
        Join(ReferenceEquals(Share, RowShare.Whole) ? parts : OfAll(parts, first, last));
        return this;
    }

    /// <summary>Makes one part of the parts of this process, and gives those of all processes; fills in what was found of their rows.</summary>
    Part[] OfAll(Part[] parts, int first, int last)
    {
        RowSums = Share.Gather<double>(RowSums.AsSpan(first..last));
        if (RowTargets is not null)
            RowScale = Share.Gather<double>(RowScale.AsSpan(first..last));
        if (G is not null)
            FTransform = Share.Gather<double>(FTransform.AsSpan(first..last));
        Part own = parts.Length > 0 ? parts[0] : new Part(_m, RowTargets is not null, FToTransform is not null);
        foreach (Part part in parts.Skip(1))
            own.Add(part);
        double[] all = Share.Gather<double>(own.ToNumbers());
        int length = own.ToNumbers().Length;
        var others = new Part[all.Length / length];
        for (int r = 0; r < others.Length; r++)
        {
            others[r] = new Part(_m, RowTargets is not null, FToTransform is not null);
            others[r].Read(all.AsSpan(r * length, length));
        }
        return others;
    }

    Part ScanRows(int start, int end)
    {
        var part = new Part(_m, RowTargets is not null, FToTransform is not null);
        var costs = new double[_m];
        var masses = new double[_m];
        var work = new double[_m];
        int pending = 0;
        for (int i = start; i < end; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            geometry.CostRow(i, costs);
            plan.Row(i, masses);
            if (G is not null)
                TransformRow(i, costs, work, part);
            if (FToTransform is not null && A[i] > 0)
            {
                TensorPrimitives.Subtract(costs, FToTransform[i], work);
                TensorPrimitives.Min(part.Minimum, work, part.Minimum);
            }
            LeaveOutEmpty(i, costs, masses);
            MaskForbidden(costs, masses, part);
            TensorPrimitives.Abs(costs, work);
            part.Independent.Add(A[i] * AccurateSum.Dot(work, B));

            double sum = AccurateSum.Of(masses);
            if (!(TensorPrimitives.Min<double>(masses) >= 0) || double.IsInfinity(sum))
                ThrowMass(i, masses, nameof(plan));
            RowSums[i] = sum;
            part.Cost.Add(AccurateSum.Dot(costs, masses));
            if (WantsEntropy)
            {
                TensorPrimitives.Max(masses, SmallestNormal, work);
                TensorPrimitives.Log(work, work);
                TensorPrimitives.Multiply(work, masses, work);
                part.Entropy.Add(AccurateSum.Of(work));
                part.EntropyMagnitude += TensorPrimitives.SumOfMagnitudes<double>(work);
            }

            TensorPrimitives.Add(part.Columns.Pending, masses, part.Columns.Pending);
            if (part.Scaled is { } scaled)
            {
                double x = sum <= RowTargets![i] ? 1 : RowTargets[i] / sum;
                RowScale[i] = x;
                TensorPrimitives.MultiplyAdd(masses, x, scaled.Pending, scaled.Pending);
            }
            if (++pending == Block || i == end - 1)
            {
                part.Columns.Fold();
                part.Scaled?.Fold();
                Progress?.Invoke((double)Interlocked.Add(ref _seen, pending) / _n);
                pending = 0;
            }
        }
        return part;
    }

    void TransformRow(int i, double[] costs, double[] work, Part part)
    {
        TensorPrimitives.Subtract(costs, G, work);
        FTransform[i] = TensorPrimitives.Min<double>(work);
        if (GibbsEpsilon == 0 || A[i] == 0)
            return;
        TensorPrimitives.Subtract(F![i], work, work);
        TensorPrimitives.Multiply(work, 1 / GibbsEpsilon, work);
        VectorMath.Exp(work);
        part.Gibbs.Add(A[i] * AccurateSum.Dot(work, B));
    }

    /// <summary>Pairs without weight and without mass have no part in any value, however large their cost.</summary>
    void LeaveOutEmpty(int i, double[] costs, double[] masses)
    {
        if (A[i] > 0 && !_emptyColumns)
            return;
        for (int j = 0; j < costs.Length; j++)
        {
            if ((A[i] == 0 || B[j] == 0) && masses[j] == 0 && double.IsFinite(costs[j]))
                costs[j] = 0;
        }
    }

    /// <summary>Infinite costs would make NaN of <c>∞ · 0</c>: they become 0 here, and mass on them is noted.</summary>
    static void MaskForbidden(double[] costs, double[] masses, Part part)
    {
        double largest = Math.Abs(TensorPrimitives.MaxMagnitude<double>(costs));
        if (double.IsInfinity(largest))
        {
            part.Forbidden = true;
            largest = 0;
            for (int j = 0; j < costs.Length; j++)
            {
                if (double.IsInfinity(costs[j]))
                {
                    costs[j] = 0;
                    part.MassOnForbidden |= masses[j] > 0;
                }
                largest = Math.Max(largest, Math.Abs(costs[j]));
            }
        }
        part.MaxCost = Math.Max(part.MaxCost, largest);
    }

    void Join(Part[] parts)
    {
        var columns = new CompensatedVector(_m);
        var scaled = new CompensatedVector(RowTargets is null ? 0 : _m);
        double[] minimum = FToTransform is null ? [] : new double[_m];
        Array.Fill(minimum, double.PositiveInfinity);
        Numerics.Compensated cost = default,
            independent = default,
            entropy = default,
            gibbs = default;
        bool massOnForbidden = false;
        foreach (Part part in parts)
        {
            columns.Add(part.Columns);
            if (part.Scaled is not null)
                scaled.Add(part.Scaled);
            if (FToTransform is not null)
                TensorPrimitives.Min(minimum, part.Minimum, minimum);
            cost.Add(part.Cost.Value);
            independent.Add(part.Independent.Value);
            entropy.Add(part.Entropy.Value);
            gibbs.Add(part.Gibbs.Value);
            EntropyMagnitude += part.EntropyMagnitude;
            MaxCost = Math.Max(MaxCost, part.MaxCost);
            SawForbidden |= part.Forbidden;
            massOnForbidden |= part.MassOnForbidden;
        }
        ColumnSums = columns.ToArray();
        ScaledColumnSums = scaled.ToArray();
        GTransform = minimum;
        Cost = massOnForbidden ? double.PositiveInfinity : cost.Value;
        IndependentCost = independent.Value / Math.Max(Summation.Sum(A), SmallestNormal);
        Entropy = entropy.Value;
        GibbsMass = gibbs.Value;
    }

    static void ThrowMass(int row, double[] masses, string name)
    {
        for (int j = 0; j < masses.Length; j++)
        {
            if (!(masses[j] >= 0) || double.IsInfinity(masses[j]))
                ThrowMass(row, j, masses[j], name);
        }
        throw new ArgumentException($"The masses of row {row} of the plan overflow.", name);
    }

    static void ThrowMass(int row, int column, double mass, string name)
    {
        if (mass >= 0 && double.IsFinite(mass))
            throw new ArgumentException($"The masses of row {row} of the plan overflow.", name);
        throw new ArgumentException($"{name}[{row}, {column}] is {mass}: a mass must be finite and not negative.", name);
    }

    /// <summary>What one chunk of rows found.</summary>
    sealed class Part(int m, bool scaled, bool minimum)
    {
        public readonly CompensatedVector Columns = new(m);
        public readonly CompensatedVector? Scaled = scaled ? new(m) : null;
        public readonly double[] Minimum = minimum ? Infinities(m) : [];
        public Numerics.Compensated Cost;
        public Numerics.Compensated Independent;
        public Numerics.Compensated Entropy;
        public Numerics.Compensated Gibbs;
        public double EntropyMagnitude;
        public double MaxCost;
        public bool Forbidden;
        public bool MassOnForbidden;

        public void Add(Part other)
        {
            Columns.Add(other.Columns);
            Scaled?.Add(other.Scaled!);
            TensorPrimitives.Min(Minimum, other.Minimum, Minimum);
            Cost.Add(other.Cost.Value);
            Independent.Add(other.Independent.Value);
            Entropy.Add(other.Entropy.Value);
            Gibbs.Add(other.Gibbs.Value);
            EntropyMagnitude += other.EntropyMagnitude;
            MaxCost = Math.Max(MaxCost, other.MaxCost);
            Forbidden |= other.Forbidden;
            MassOnForbidden |= other.MassOnForbidden;
        }

        public double[] ToNumbers() =>
            [
                Cost.Value,
                Independent.Value,
                Entropy.Value,
                Gibbs.Value,
                EntropyMagnitude,
                MaxCost,
                Forbidden ? 1 : 0,
                MassOnForbidden ? 1 : 0,
                .. Columns.Sums,
                .. Columns.Corrections,
                .. Scaled?.Sums ?? [],
                .. Scaled?.Corrections ?? [],
                .. Minimum,
            ];

        /// <summary>Takes over what <see cref="ToNumbers"/> gave, into a part that holds nothing yet.</summary>
        public void Read(ReadOnlySpan<double> numbers)
        {
            Cost.Add(numbers[0]);
            Independent.Add(numbers[1]);
            Entropy.Add(numbers[2]);
            Gibbs.Add(numbers[3]);
            (EntropyMagnitude, MaxCost) = (numbers[4], numbers[5]);
            (Forbidden, MassOnForbidden) = (numbers[6] != 0, numbers[7] != 0);
            int at = 8;
            foreach (
                double[] vector in (ReadOnlySpan<double[]>)
                    [Columns.Sums, Columns.Corrections, Scaled?.Sums ?? [], Scaled?.Corrections ?? [], Minimum]
            )
            {
                numbers.Slice(at, vector.Length).CopyTo(vector);
                at += vector.Length;
            }
        }

        static double[] Infinities(int m)
        {
            var values = new double[m];
            Array.Fill(values, double.PositiveInfinity);
            return values;
        }
    }

    /// <summary>m compensated sums side by side, fed through a plain sum of a few rows.</summary>
    sealed class CompensatedVector(int m)
    {
        readonly double[] _sums = new double[m];
        readonly double[] _corrections = new double[m];

        public readonly double[] Pending = new double[m];

        public double[] Sums => _sums;

        public double[] Corrections => _corrections;

        public void Fold()
        {
            AccurateSum.Fold(Pending, _sums, _corrections);
            Array.Clear(Pending);
        }

        public void Add(CompensatedVector other)
        {
            AccurateSum.Fold(other._sums, _sums, _corrections);
            AccurateSum.Fold(other._corrections, _sums, _corrections);
        }

        public double[] ToArray()
        {
            var values = new double[_sums.Length];
            TensorPrimitives.Add(_sums, _corrections, values);
            return values;
        }
    }
}
