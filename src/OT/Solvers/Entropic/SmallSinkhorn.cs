using System.Numerics.Tensors;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>
/// Entropic transport of a few thousand pairs, in one thread and without a second exponential per pair where one will do: scaling of a stored plan, then
/// Newton's step on the semi-dual. Answers converged problems only; everything else is declined, and is <see cref="SinkhornRun"/>'s.
/// </summary>
/// <remarks>
/// <para>
/// Works in base 2: <c>φ = f log₂e/ε</c>, <c>γ = g log₂e/ε</c>, <c>P_ij = a_i b_j 2^(φ_i + γ_j − C_ij log₂e/ε)</c>. At an anchor γ⁰ the rows
/// <c>q_ij ∝ b_j 2^(γ⁰_j − C_ij log₂e/ε)</c> are made with their maximum, so nothing overflows. From there on <c>v = 2^(γ − γ⁰)</c> alone moves:
/// <c>s = q v</c>, <c>φ = φ⁰ − log₂ s</c>, <c>c = v ∘ qᵀ(r/s)</c>, two products per iteration. When v has moved by a hundred powers of 2, the anchor is set anew.
/// </para>
/// <para>Empty bins are left out, and the smaller side plays the columns. See docs/theory/batch.md. An object is memory for one solve at a time; it grows and is kept.</para>
/// </remarks>
internal sealed partial class SmallSinkhorn
{
    /// <summary>Problems up to so many pairs are small: the smaller side then has 64 bins at most, and Newton's system 64 unknowns.</summary>
    public const int MaxPairs = 4096;

    /// <summary>Iterations after which the problem is declined.</summary>
    public const int Patience = 400;

    /// <summary>Plain iterations before the first Newton step.</summary>
    const int MinBeforeNewton = 4;

    /// <summary>v, or 1/v, that may pile up on one anchor, and its base-2 logarithm.</summary>
    const double LongestStretch = 1L << 50,
        LongestDrift = 100;

    /// <summary>Longest first Newton step and longest of all, in powers of 2; a step that was good makes the next four times as long, one that was not a quarter.</summary>
    const double FirstRadius = 3,
        LongestRadius = 60;

    /// <summary>Losses added to Newton's matrix, relative to the column masses and to the marginal error.</summary>
    const double Damping = 1e-3;

    /// <summary>Rounding of the dual value, relative to itself and to the largest cost.</summary>
    const double DualRounding = 1e-13;

    /// <summary>A Newton step that lowers the dual at this length still, in powers of 2, has no right direction.</summary>
    const double ShortestRadius = 1e-6;

    const double Log2E = 1.4426950408889634;

    readonly SmallKernels _kernels = SmallKernels.Best;

    // Where bins of positive weight stand in the problem; rows and columns change places where that leaves fewer columns.
    int[] _rowAt = [],
        _columnAt = [];
    double[] _exponents = [],
        _q = [],
        _couplings = [];

    // One per row.
    double[] _a = [],
        _anchorF = [],
        _phi = [],
        _s = [],
        _mass = [],
        _w = [];

    // One per column, padded.
    double[] _b = [],
        _logB = [],
        _anchorG = [],
        _gamma = [],
        _v = [],
        _c = [],
        _wanted = [],
        _loss = [],
        _right = [],
        _direction = [],
        _scratch = [];

    int _n,
        _m,
        _stride;
    bool _swapped;
    double _kappaA,
        _kappaB,
        _unit,
        _drift;
    readonly double[] _errors = new double[Patience];
    int _errorCount;

    /// <summary>Errors at every <c>CheckEvery</c>-th iteration of the last solve, and at its end.</summary>
    public ReadOnlySpan<double> Errors => _errors.AsSpan(0, _errorCount);

    /// <summary>Whether the options ask for nothing that only the large engine has: apart from the limits they are the default ones.</summary>
    public static bool Honours(SinkhornOptions options)
    {
        SinkhornOptions plain = new();
        return plain
            == options with
            {
                Tolerance = plain.Tolerance,
                MaxIterations = plain.MaxIterations,
                TimeLimit = plain.TimeLimit,
                CheckEvery = plain.CheckEvery,
                CheckpointEvery = plain.CheckpointEvery,
                FloatsFirst = plain.FloatsFirst,
            };
    }

    /// <summary>What ran, in words.</summary>
    public static string Description { get; } =
        $"{Simd.Width switch { 512 => "managed-avx512", 256 => "managed-avx2", 128 => "managed-128", _ => "managed-scalar" }}, small problem in one thread, Float64";

    /// <summary>Solves to the tolerance, or declines: potentials are then not defined.</summary>
    /// <param name="problem">The problem.</param>
    /// <param name="options">Tolerance and limits.</param>
    /// <param name="f">In: where to start, after <paramref name="made"/> iterations of somebody else's. Out: source potentials.</param>
    /// <param name="g">Target potentials, likewise.</param>
    /// <param name="made">Iterations that led to the start; 0 for zero potentials.</param>
    /// <param name="answer">Values and errors.</param>
    public bool Solve(
        in SmallProblem problem,
        SinkhornOptions options,
        Span<double> f,
        Span<double> g,
        int made,
        out SmallAnswer answer
    )
    {
        answer = default;
        _errorCount = 0;
        double target = TargetOf(problem, options.Tolerance);
        if (target == 0 || !Begin(problem, f, g) || !Anchor())
            return false;
        double wanted = options.Tolerance * MassOf(problem);
        int limit = (int)Math.Min(options.MaxIterations, (long)made + Patience);
        int iteration = made;
        while (Iterate(problem, target, limit, options.CheckEvery, ref iteration))
        {
            if (!Evaluate(problem, f, g, iteration, out answer))
                return false;
            if (answer.Error <= wanted)
                return true;
            target *= 0.25; // rounding of the anchor's exponentials, or of the products since
            if (!Anchor())
                return false;
        }
        return false;
    }

    /// <summary>Half an iteration and its values: what a run that was stopped can give. False where no plan exists or a bin has no partner.</summary>
    public bool Start(in SmallProblem problem, Span<double> f, Span<double> g, int made, out SmallAnswer answer)
    {
        answer = default;
        _errorCount = 0;
        if (!Begin(problem, f, g) || !Anchor())
            return false;
        Sweep();
        return Evaluate(problem, f, g, made, out answer);
    }

    static double MassOf(in SmallProblem problem) => Math.Max(problem.MassA, problem.MassB * problem.TargetScale);

    /// <summary>The L1 error to stop at, in units of mass; 0 for problems that are declined whatever their costs are.</summary>
    public static double TargetOf(in SmallProblem problem, double tolerance) =>
        IsDeclined(problem) ? 0 : MassOf(problem) * Target(problem, tolerance);

    static bool IsDeclined(in SmallProblem problem)
    {
        double difference = Math.Abs(problem.MassA - problem.MassB);
        bool agree = difference <= problem.MassSlack * Math.Max(problem.MassA, problem.MassB);
        (double tauA, double tauB) = (problem.PenaltyA.Tau(problem.Epsilon), problem.PenaltyB.Tau(problem.Epsilon));
        bool idle = (!problem.PenaltyA.IsExact && tauA == 1) || (!problem.PenaltyB.IsExact && tauB == 1);
        bool bounded = problem.PenaltyA.IsTotalVariation || problem.PenaltyB.IsTotalVariation;
        return (problem.IsBalanced && !agree) || idle || bounded;
    }

    /// <summary>
    /// The L1 error to stop at, relative to the mass. A penalty weighs it by ρ: a larger ρ asks for a smaller error. 0 where that is beyond the rounding of the
    /// exponents: the large engine then finds the best shift of mass between the potentials in closed form.
    /// </summary>
    static double Target(in SmallProblem problem, double tolerance)
    {
        double bound = Math.Max(problem.Bound, problem.Epsilon);
        double rho = Math.Max(
            problem.PenaltyA.IsExact ? 0 : problem.PenaltyA.Rho,
            problem.PenaltyB.IsExact ? 0 : problem.PenaltyB.Rho
        );
        if (rho <= bound)
            return tolerance;
        double size = Math.Max(bound, rho * Math.Abs(Math.Log(problem.MassA / problem.MassB)));
        double resolved = Math.Max(size / problem.Epsilon, 8) / (1L << 52);
        double wanted = tolerance * bound / rho;
        return wanted >= resolved ? wanted : 0;
    }

    /// <summary>Takes the problem in: weights, exponents, potentials to start from. False where the large engine has more to say.</summary>
    bool Begin(in SmallProblem problem, ReadOnlySpan<double> f, ReadOnlySpan<double> g)
    {
        if (IsDeclined(problem))
            return false;
        Grow(problem.A.Length, problem.B.Length);
        int n = Positive(problem.A, _rowAt),
            m = Positive(problem.B, _columnAt);
        _swapped = m > n;
        if (_swapped)
            (_rowAt, _columnAt, n, m) = (_columnAt, _rowAt, m, n);
        (_n, _m, _stride) = (n, m, SmallKernels.Stride(m));
        _unit = problem.Epsilon / Log2E;
        (_kappaA, _kappaB) = (problem.Epsilon / problem.PenaltyA.Rho, problem.Epsilon / problem.PenaltyB.Rho);
        if (_swapped)
            (_kappaA, _kappaB) = (_kappaB, _kappaA);
        double scale = problem.TargetScale;
        ReadOnlySpan<double> a = _swapped ? problem.B : problem.A,
            b = _swapped ? problem.A : problem.B;
        for (int i = 0; i < n; i++)
            _a[i] = a[_rowAt[i]] * (_swapped ? scale : 1);
        for (int j = 0; j < m; j++)
        {
            _b[j] = b[_columnAt[j]] * (_swapped ? 1 : scale);
            _logB[j] = Math.Log2(_b[j]);
        }
        Array.Clear(_gamma, 0, _stride);
        Gather(_swapped ? f : g, _columnAt, m, _gamma);
        _exponents.AsSpan(0, n * _stride).Fill(SmallKernels.Forbidden);
        if (!TakeCosts(problem))
            return false;
        _a.AsSpan(0, n).CopyTo(_mass);
        return true;
    }

    /// <summary><c>−C log₂e/ε</c>; false where a row or a column has no partner.</summary>
    bool TakeCosts(in SmallProblem problem)
    {
        int columns = problem.B.Length;
        double factor = -1 / _unit;
        if (!_swapped && _m == columns)
        {
            for (int i = 0; i < _n; i++)
            {
                Span<double> row = _exponents.AsSpan(i * _stride, _m);
                TensorPrimitives.Multiply(problem.Costs.Slice(_rowAt[i] * columns, _m), factor, row);
                TensorPrimitives.Max(row, SmallKernels.Forbidden, row);
            }
        }
        else
        {
            for (int i = 0; i < _n; i++)
            {
                for (int j = 0; j < _m; j++)
                {
                    int at = _swapped ? (_columnAt[j] * columns) + _rowAt[i] : (_rowAt[i] * columns) + _columnAt[j];
                    _exponents[(i * _stride) + j] = Math.Max(factor * problem.Costs[at], SmallKernels.Forbidden);
                }
            }
        }
        // A row is told by the anchor; a column here.
        Span<double> best = _scratch.AsSpan(0, _stride);
        best.Fill(SmallKernels.Forbidden);
        for (int i = 0; i < _n; i++)
            TensorPrimitives.Max(best, _exponents.AsSpan(i * _stride, _stride), best);
        return TensorPrimitives.Min<double>(best[.._m]) > SmallKernels.Forbidden / 2;
    }

    static int Positive(ReadOnlySpan<double> weights, int[] at)
    {
        int count = 0;
        for (int k = 0; k < weights.Length; k++)
        {
            at[count] = k;
            count += weights[k] > 0 ? 1 : 0;
        }
        return count;
    }

    void Grow(int rows, int columns)
    {
        int longest = Math.Max(rows, columns) + SmallKernels.Padding;
        if (longest > _a.Length)
        {
            longest = Math.Max(longest, Math.Min(2 * _a.Length, MaxPairs + SmallKernels.Padding));
            (_rowAt, _columnAt) = (new int[longest], new int[longest]);
            (_a, _anchorF, _phi, _s, _mass, _w) = (
                new double[longest],
                new double[longest],
                new double[longest],
                new double[longest],
                new double[longest],
                new double[longest]
            );
        }
        int shorter = SmallKernels.Stride(Math.Min(rows, columns));
        if (shorter > _b.Length)
        {
            (_b, _logB, _anchorG, _gamma, _v, _c) = (
                new double[shorter],
                new double[shorter],
                new double[shorter],
                new double[shorter],
                new double[shorter],
                new double[shorter]
            );
            (_wanted, _loss, _right, _direction, _scratch) = (
                new double[shorter],
                new double[shorter],
                new double[shorter],
                new double[shorter],
                new double[shorter]
            );
            _couplings = new double[shorter * shorter];
        }
        // Columns after empty bins are gone may be fewer on either side, and a stride is at most seven longer than they are.
        int pairs = Math.Max(rows, columns) * shorter;
        if (pairs > _exponents.Length)
            (_exponents, _q) = (new double[pairs], new double[pairs]);
    }

    /// <summary>Makes q at γ, from exponentials. False where a row has no partner.</summary>
    bool Anchor()
    {
        Span<double> gamma = _gamma.AsSpan(0, _stride),
            bias = _scratch.AsSpan(0, _stride);
        TensorPrimitives.Add(_logB.AsSpan(0, _m), gamma[.._m], bias[.._m]);
        bias[_m..].Clear();
        gamma.CopyTo(_anchorG);
        _v.AsSpan(0, _stride).Fill(1);
        _drift = 0;
        return _kernels.Normalise(_n, _exponents, bias, _q, _anchorF);
    }

    /// <summary>Moves the anchor to the present point by products: <c>q_ij ← q_ij v_j / s_i</c>.</summary>
    void MoveAnchor()
    {
        Span<double> inverse = _w.AsSpan(0, _n);
        TensorPrimitives.Divide(1, _s.AsSpan(0, _n), inverse);
        _kernels.Rescale(_n, _q, _v.AsSpan(0, _stride), inverse);
        SoftMin(_anchorF);
        _gamma.AsSpan(0, _stride).CopyTo(_anchorG);
        _drift += LogOfV();
        _v.AsSpan(0, _stride).Fill(1);
        _s.AsSpan(0, _n).Fill(1);
    }

    /// <summary>Largest |log₂ v|.</summary>
    double LogOfV()
    {
        ReadOnlySpan<double> v = _v.AsSpan(0, _m);
        return Math.Max(Math.Log2(TensorPrimitives.Max(v)), -Math.Log2(TensorPrimitives.Min(v)));
    }

    /// <summary><c>φ⁰ − log₂ s</c>.</summary>
    void SoftMin(double[] softMin)
    {
        Span<double> logs = _w.AsSpan(0, _n);
        VectorMath.Log(_s.AsSpan(0, _n), logs);
        TensorPrimitives.Multiply(logs, -Log2E, logs);
        TensorPrimitives.Add(logs, _anchorF.AsSpan(0, _n), softMin.AsSpan(0, _n));
    }

    /// <summary>
    /// Row sums s, row masses <c>r = a exp(−f/ρ_a)</c>, column masses c and what they should be; gives the L1 error.
    /// </summary>
    double Sweep()
    {
        Span<double> v = _v.AsSpan(0, _stride),
            c = _c.AsSpan(0, _stride),
            s = _s.AsSpan(0, _n),
            w = _w.AsSpan(0, _n),
            mass = _mass.AsSpan(0, _n);
        _kernels.RowSums(_n, _q, v, s);
        if (_kappaA > 0)
        {
            SoftMin(_phi);
            Masses(_a, _phi, 1 / (1 + _kappaA), _kappaA, mass);
        }
        TensorPrimitives.Divide(mass, s, w);
        _kernels.ColumnSums(_n, _q, w, c);
        TensorPrimitives.Multiply(c, v, c);
        Span<double> wanted = _wanted.AsSpan(0, _m);
        if (_kappaB > 0)
            Masses(_b, _gamma, 1, _kappaB, wanted);
        else
            _b.AsSpan(0, _m).CopyTo(wanted);
        // In one order wherever the memory lies: what steers the iteration must have the same bits for every worker.
        double error = 0;
        for (int j = 0; j < wanted.Length; j++)
            error += Math.Abs(wanted[j] - c[j]);
        return error;
    }

    /// <summary><c>w 2^(−κ τ φ)</c>: what a penalised marginal tends to.</summary>
    static void Masses(double[] weights, double[] potential, double tau, double kappa, Span<double> masses)
    {
        for (int k = 0; k < masses.Length; k++)
            masses[k] = weights[k] * Math.Exp(-kappa * tau * potential[k] / Log2E);
    }

    /// <summary>Iterates until the error meets the target; false where the limit comes first or a value is lost.</summary>
    bool Iterate(in SmallProblem problem, double target, int limit, int checkEvery, ref int iteration)
    {
        double before = double.PositiveInfinity,
            keptDual = double.NegativeInfinity,
            radius = FirstRadius,
            share = 0;
        double totalMass = Math.Max(problem.MassA, problem.MassB * problem.TargetScale);
        int plainFrom = iteration;
        bool byNewton = false;
        while (iteration < limit)
        {
            double error = Sweep();
            iteration++;
            if (!double.IsFinite(error))
            {
                if (!byNewton)
                    return false;
                error = double.PositiveInfinity;
            }
            if (iteration % checkEvery == 0 || error <= target)
                _errors[_errorCount++] = error;
            if (error <= target)
                return true;
            bool newtonNext = byNewton || NewtonPays(error, before, target, iteration - plainFrom);
            before = error;
            if (!newtonNext)
            {
                if (!PlainStep())
                    return false;
                continue;
            }
            if (!byNewton)
                FromV();
            double dual = Dual();
            double slack = DualRounding * (Math.Abs(dual) + (problem.Bound * totalMass));
            if (byNewton && !(dual >= keptDual - slack))
            {
                share /= 4;
                radius = share * Length();
                if (radius < ShortestRadius)
                    return false;
                MoveTo(share);
                continue;
            }
            keptDual = dual;
            if (byNewton)
                radius = Math.Min(4 * radius, LongestRadius);
            MoveAnchor();
            if (_drift > LongestDrift)
            {
                if (!Anchor())
                    return false;
                Sweep();
            }
            if (!Direction(Damping * Math.Min(1, error / totalMass)))
                return false;
            share = Math.Min(1, radius / Length());
            MoveTo(share);
            byNewton = true;
        }
        return false;
    }

    /// <summary>A Newton step costs about as much as m plain ones: it pays where more than so many are to be expected.</summary>
    bool NewtonPays(double error, double before, double target, int iterations)
    {
        if (iterations < MinBeforeNewton)
            return false;
        double rate = error / before;
        return !(rate < 1) || Math.Log(target / error) < Math.Log(rate) * _m;
    }

    /// <summary><c>γ ← τ_b (γ + log₂ (b/c))</c>.</summary>
    bool PlainStep()
    {
        Span<double> v = _v.AsSpan(0, _m),
            c = _c.AsSpan(0, _m);
        if (_kappaB > 0)
        {
            for (int j = 0; j < _m; j++)
            {
                _gamma[j] = (_gamma[j] + Math.Log2(_b[j] / c[j])) / (1 + _kappaB);
                v[j] = Math.Pow(2, _gamma[j] - _anchorG[j]);
            }
        }
        else
        {
            TensorPrimitives.Divide(_b.AsSpan(0, _m), c, c);
            TensorPrimitives.Multiply(v, c, v);
        }
        double low = TensorPrimitives.Min<double>(v),
            high = TensorPrimitives.Max<double>(v);
        if (low >= 1 / LongestStretch && high <= LongestStretch)
            return true;
        if (!(low > 0 && double.IsFinite(high)))
            return false;
        if (_kappaB == 0)
            FromV();
        return Anchor();
    }

    /// <summary><c>γ = γ⁰ + log₂ v</c>.</summary>
    void FromV()
    {
        Span<double> gamma = _gamma.AsSpan(0, _m);
        VectorMath.Log(_v.AsSpan(0, _m), gamma);
        TensorPrimitives.Multiply(gamma, Log2E, gamma);
        TensorPrimitives.Add(gamma, _anchorG.AsSpan(0, _m), gamma);
    }

    /// <summary>Newton's direction at the anchor, which is the present point: <c>(diag(c (1 + δ) + κ_b b̂) − τ_a qᵀ diag(r) q) d = log₂e (b̂ − c)</c>.</summary>
    bool Direction(double damping)
    {
        double tau = 1 / (1 + _kappaA);
        Span<double> w = _w.AsSpan(0, _n);
        TensorPrimitives.Multiply(_mass.AsSpan(0, _n), tau, w);
        _kernels.Couplings(_n, _m, _q, w, _couplings);
        Span<double> loss = _loss.AsSpan(0, _stride),
            right = _right.AsSpan(0, _stride),
            direction = _direction.AsSpan(0, _stride);
        loss.Clear();
        right.Clear();
        for (int j = 0; j < _m; j++)
        {
            loss[j] = ((1 - tau + damping) * _c[j]) + (_kappaB * _wanted[j]);
            right[j] = Log2E * (_wanted[j] - _c[j]);
        }
        _kernels.SolveLaplacian(_m, _couplings, loss, right, direction);
        if (_kappaA == 0 && _kappaB == 0)
            TensorPrimitives.Subtract(direction[.._m], direction[0], direction[.._m]); // a shift of all is none
        return double.IsFinite(Length()) && Length() > 0;
    }

    double Length() => Math.Abs(TensorPrimitives.MaxMagnitude<double>(_direction.AsSpan(0, _m)));

    /// <summary>To a share of the direction from the anchor.</summary>
    void MoveTo(double share)
    {
        Span<double> v = _v.AsSpan(0, _stride);
        TensorPrimitives.Multiply(_direction.AsSpan(0, _stride), share, v);
        TensorPrimitives.Add(v, _anchorG.AsSpan(0, _stride), _gamma.AsSpan(0, _stride));
        _kernels.Exp2(v);
    }

    /// <summary>The dual value at the last sweep, but for a constant: f meets the rows, so the mass of its plan is known.</summary>
    double Dual()
    {
        if (_kappaA == 0)
            SoftMin(_phi);
        double rowPart = 0,
            columnPart = 0;
        if (_kappaA == 0)
        {
            rowPart = Summation.Dot(_a.AsSpan(0, _n), _phi.AsSpan(0, _n)) * _unit;
        }
        else
        {
            // ρ (1 − exp(−f/ρ)) − ε exp(−f/ρ), f = τ softmin.
            for (int i = 0; i < _n; i++)
            {
                double x = -_kappaA / (1 + _kappaA) * _phi[i] / Log2E;
                rowPart -= _a[i] * _unit * Log2E * ((VectorMath.ExpM1(x) / _kappaA) + Math.Exp(x));
            }
        }
        if (_kappaB == 0)
        {
            columnPart = Summation.Dot(_b.AsSpan(0, _m), _gamma.AsSpan(0, _m)) * _unit;
        }
        else
        {
            for (int j = 0; j < _m; j++)
                columnPart -= _b[j] * _unit * Log2E * VectorMath.ExpM1(-_kappaB * _gamma[j] / Log2E) / _kappaB;
        }
        return rowPart + columnPart;
    }
}
