using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Sparse;

/// <summary>Damped semismooth Newton on the semi-dual: <c>(H + ν/(γ + σ)) d = b − Pᵀ1</c>, ν by the ratio of gain and model (Levenberg and Marquardt).</summary>
internal sealed class SemiDualAscent(Geometry geometry, double[] a, double[] b, RowBlocks blocks, Shortlists lists)
{
    const double LeastDamping = 1e-9;
    const double MostDamping = 1e6;
    const double Unit = 1.1102230246251565e-16; // 2⁻⁵³
    const int MostProducts = 2000;

    /// <summary>A step that lowers the value is tried at this share of its length, and damped so much more where that fails too.</summary>
    const double ShortStep = 0.25;
    const double Stiffening = 16;

    /// <summary>Gains of so many times the rounding of the value are left to the error.</summary>
    const double BlindFactor = 1e4;

    /// <summary>Columns without mass are lifted where their weights are such a share of the error.</summary>
    const double WorthALift = 0.1;

    readonly double _mass = Summation.Sum(a);
    readonly double[] _direction = new double[b.Length];
    readonly double[] _right = new double[b.Length];
    readonly double[] _diagonal = new double[b.Length];
    readonly double[] _image = new double[b.Length];
    readonly double[] _shift = new double[b.Length];
    double[] _g = new double[b.Length];
    double[] _next = new double[b.Length];
    Responses _trial = new(geometry, a, b, blocks, lists);
    double _damping = 0.01;

    /// <summary>g.</summary>
    public double[] G => _g;

    /// <summary>The responses to g.</summary>
    public Responses At { get; private set; } = new(geometry, a, b, blocks, lists);

    /// <summary>Steps tried so far.</summary>
    public int Steps { get; private set; }

    /// <summary>Passes over the costs so far.</summary>
    public int Passes { get; private set; }

    /// <summary>Products with H so far.</summary>
    public int Products { get; private set; }

    /// <summary>Moves to potentials g; <see cref="Enter"/> comes next.</summary>
    public void Start(ReadOnlySpan<double> g) => g.CopyTo(_g);

    /// <summary>Moves to another problem at the same g; false when cancelled.</summary>
    public bool Enter(double gamma, double sigma, int most, SparseMatrix? centre, CancellationToken cancellation)
    {
        Passes++;
        _trial.Centre = centre;
        _terms = (gamma, sigma, most);
        // A pass that is stopped half-way leaves nothing to read: what is there stays.
        if (!_trial.Run(_g, gamma, sigma, most, cancellation))
            return false;
        (At, _trial) = (_trial, At);
        _trial.Centre = centre;
        return true;
    }

    /// <summary>The responses to g without smoothing; null when stopped.</summary>
    public Responses? Respond(double gamma, int most, CancellationToken stop)
    {
        var exact = new Responses(geometry, a, b, blocks, lists);
        return exact.Run(_g, gamma, 0, most, stop) ? exact : null;
    }

    (double Gamma, double Sigma, int Most) _terms;

    /// <summary>Steps until <c>|Pᵀ1 − b|₁</c> is at most <paramref name="tolerance"/>.</summary>
    public Ending Run(double tolerance, int mostSteps, Action<double>? report, CancellationToken cancellation)
    {
        // A stage before may have ended with almost no damping, and a new one may have kinks elsewhere.
        _damping = Math.Clamp(_damping, 1e-6, 1);
        while (!(At.Error <= tolerance))
        {
            if (Steps >= mostSteps)
                return Ending.StepLimit;
            if (_damping > MostDamping * (_terms.Sigma > 0 ? Math.Max(1, _terms.Gamma / _terms.Sigma) : 1))
                return Ending.Stalled;
            Steps++;
            if (Lift(cancellation))
                continue;
            (double Slope, double Curvature) along = Direction(cancellation);
            Trial trial = Try(1, along, cancellation);
            // Kinks close by spoil a whole step more often than its direction.
            bool shortened = trial == Trial.Worse;
            if (shortened)
                trial = Try(ShortStep, along, cancellation);
            if (trial == Trial.Cancelled)
                return Ending.Cancelled;
            if (trial == Trial.Worse)
            {
                _damping = Math.Max(Stiffening * _damping, LeastDamping);
                continue;
            }
            (_g, _next) = (_next, _g);
            (At, _trial) = (_trial, At);
            report?.Invoke(At.Error);
            if (!shortened && trial == Trial.AsModelled)
                _damping = Math.Max(LeastDamping, _damping / 4);
            else if (!shortened && trial == Trial.FarFromModel)
                _damping *= 2;
        }
        return Ending.Converged;
    }

    enum Trial
    {
        Cancelled,
        Worse,
        FarFromModel,
        Better,
        AsModelled,
    }

    /// <summary>Responses to <c>g + share · d</c>, and what they are worth beside the model <c>share ⟨F, d⟩ − ½ share² ⟨d, H d⟩</c>.</summary>
    Trial Try(double share, (double Slope, double Curvature) along, CancellationToken cancellation)
    {
        for (int j = 0; j < _g.Length; j++)
            _next[j] = _g[j] + (share * _direction[j]);
        Passes++;
        if (cancellation.IsCancellationRequested || !_trial.Run(_next, _terms.Gamma, _terms.Sigma, _terms.Most, cancellation))
            return Trial.Cancelled;
        double model = share * (along.Slope - (0.5 * share * along.Curvature)),
            gain = _trial.SemiDual.Value - At.SemiDual.Value,
            rounding = 64 * Unit * Math.Max(At.SemiDual.Size, _trial.SemiDual.Size);
        // Where the value can hardly tell, less error is better as long as the value does not fall by more than its rounding.
        if (model <= BlindFactor * rounding && gain >= -rounding && _trial.Error < At.Error)
            return Trial.AsModelled;
        return !(gain > 0 && gain >= 1e-3 * model) ? Trial.Worse
            : gain >= 0.75 * model ? Trial.AsModelled
            : gain < 0.25 * model ? Trial.FarFromModel
            : Trial.Better;
    }

    /// <summary>
    /// Columns without mass have no curvature, so that Newton's steps say nothing about how far they are: where much of the error is theirs they are raised to where their first row sends what they want, as a step in g alone would.
    /// </summary>
    /// <returns>Whether the value rose.</returns>
    bool Lift(CancellationToken cancellation)
    {
        double missing = 0;
        for (int j = 0; j < b.Length; j++)
            missing += At.ColumnSums[j] == 0 ? b[j] : 0;
        if (!(missing > WorthALift * At.Error))
            return false;
        Joining(_image, cancellation);
        for (int j = 0; j < b.Length; j++)
        {
            double raised = _image[j] + (At.Strength * b[j]);
            _next[j] = At.ColumnSums[j] == 0 && b[j] > 0 && raised > _g[j] && double.IsFinite(raised) ? raised : _g[j];
        }
        Centre(_next);
        Passes += 2;
        if (!_trial.Run(_next, _terms.Gamma, _terms.Sigma, _terms.Most, cancellation))
            return false;
        if (!(_trial.SemiDual.Value > At.SemiDual.Value) || !(_trial.Error < At.Error))
            return false;
        (_g, _next) = (_next, _g);
        (At, _trial) = (_trial, At);
        return true;
    }

    /// <summary>The g at which each column's first row begins to send: <c>min_i (C_ij − f_i)</c>.</summary>
    void Joining(Span<double> least, CancellationToken cancellation)
    {
        least.Fill(double.PositiveInfinity);
        double[] row = _direction;
        for (int i = 0; i < a.Length && !cancellation.IsCancellationRequested; i++)
        {
            if (a[i] == 0)
                continue;
            if (geometry is SparseCost { Costs: var pairs })
            {
                ReadOnlySpan<int> columns = pairs.RowColumns(i);
                for (int k = 0; k < columns.Length; k++)
                    least[columns[k]] = Math.Min(least[columns[k]], pairs.RowValues(i)[k] - At.F[i]);
                continue;
            }
            geometry.CostRow(i, row);
            TensorPrimitives.Subtract(row, At.F[i], row);
            TensorPrimitives.Min(least, row, least);
        }
    }

    /// <summary>Solves for a step d and gives <c>⟨F, d⟩</c> and <c>⟨d, H d⟩</c>.</summary>
    (double Slope, double Curvature) Direction(CancellationToken cancellation)
    {
        At.Diagonal(_diagonal);
        for (int j = 0; j < b.Length; j++)
        {
            bool live = b[j] > 0;
            _right[j] = live ? b[j] - At.ColumnSums[j] : 0;
            _shift[j] = live ? _damping / At.Strength : 0;
            _diagonal[j] = live ? 1 / (_diagonal[j] + _shift[j]) : 0;
        }
        bool Product(ReadOnlySpan<double> x, Span<double> result)
        {
            At.Multiply(x, _shift, result);
            return !cancellation.IsCancellationRequested;
        }
        // Superlinear: the system is solved as exactly as the error is small.
        double accuracy = Math.Clamp(Math.Sqrt(At.Error / _mass), 1e-8, 0.1);
        ConjugateGradient.Outcome outcome = ConjugateGradient.Solve(
            Product,
            _right,
            _diagonal,
            isSingular: false,
            accuracy,
            MostProducts,
            _direction
        );
        Products += outcome.Iterations;
        Centre(_direction);
        At.Multiply(_direction, [], _image);
        double slope = 0,
            curvature = 0;
        for (int j = 0; j < b.Length; j++)
        {
            if (b[j] == 0)
                continue;
            slope += (b[j] - At.ColumnSums[j]) * _direction[j];
            curvature += _direction[j] * _image[j];
        }
        return (slope, curvature);
    }

    /// <summary>A constant changes nothing but the size of the potentials, and with it their rounding: it is taken out.</summary>
    void Centre(Span<double> x)
    {
        double sum = 0;
        int live = 0;
        for (int j = 0; j < b.Length; j++)
        {
            sum += b[j] > 0 ? x[j] : 0;
            live += b[j] > 0 ? 1 : 0;
        }
        for (int j = 0; j < b.Length; j++)
            x[j] -= b[j] > 0 ? sum / live : 0;
    }
}

/// <summary>How a stage ended.</summary>
internal enum Ending
{
    Converged,
    StepLimit,
    Stalled,
    Cancelled,
}
